// kind: attack
// A daemon: a session of its own, its parent gone.
#include "probe.h"

int main(void)
{
	int result[2];
	MUST(pipe(result));
	if (MUST(fork()) == 0) {
		MUST(setsid());
		if (MUST(fork()))
			_exit(0);
		alarm(20);
		close(result[0]);
		usleep(10000);
		pid_t pid = child(); /* its verdict goes through the pipe */
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
		SETUP("the daemon died");
	return code;
}
