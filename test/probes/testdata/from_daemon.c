/*
 * kind: attack
 *
 * A daemon binds: a process that has called setsid(2), and whose parent has ended.
 *
 * Bare kernel: it can bind the forbidden port.
 *
 * port-restricter: it can bind the allowed port, and is refused the forbidden one with
 * EPERM.
 */
#include "probe.h"

int main(void)
{
	int result[2];
	MUST(pipe(result));
	if (MUST(fork()) == 0) {
		MUST(setsid());
		if (MUST(fork()))
			_exit(0);
		alarm(at_most(20));
		close(result[0]);
		usleep(10000);
		pid_t pid = child(); /* its exit status goes through the pipe */
		if (pid == 0) {
			only_allowed();
			_exit(0);
		}
		char code = status_of(pid);
		MUST(write(result[1], &code, 1));
		_exit(0);
	}
	close(result[1]);
	char code;
	if (MUST(read(result[0], &code, 1)) == 0)
		SETUP("the daemon ended before it reported a result");
	return code;
}
