/*
 * kind: behaviour
 *
 * Processes are stopped (SIGSTOP) at any point of a bind(2).
 *
 * Bare kernel and port-restricter: binds of other processes work, and do not wait for
 * the stopped ones.
 */
#include "probe.h"

enum { PROCESSES = 30 };

int main(void)
{
	pid_t all[PROCESSES];
	int on = 1;
	for (int i = 0; i < PROCESSES; i++)
		if ((all[i] = child()) == 0)
			for (;;) {
				int fd = sock(AF_INET, SOCK_STREAM, 0);
				setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
				bind_port(fd, ALLOWED);
				close(fd);
			}
	usleep(50000);
	for (int i = 0; i < PROCESSES; i++) {
		usleep(rand() % 500);
		kill(all[i], SIGSTOP);
	}
	for (int i = 0; i < 50; i++) {
		double start = now();
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
		WORKS(bind_port(fd, ALLOWED));
		if (now() - start > at_most(5))
			WRONG("a bind took %.1f s, while other processes were stopped", now() - start);
		close(fd);
	}
	for (int i = 0; i < PROCESSES; i++)
		kill(all[i], SIGKILL);
	_exit(0);
}
