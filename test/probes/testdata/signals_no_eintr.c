/*
 * kind: behaviour
 * expect cli-root: 0|3
 * expect cli-user: 0|3
 * expect runc: 0|3
 *
 * bind(2) and listen(2) of an internet socket, under a storm of signals whose handler
 * has no SA_RESTART.
 *
 * Bare kernel: these calls never wait, so they never fail with EINTR.
 *
 * port-restricter: until the supervisor has received a call, the kernel lets a signal
 * interrupt the call. So EINTR can occur (status 3). This cannot be closed. From the
 * receipt on only a fatal signal interrupts the call
 * (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19).
 */
#include "probe.h"

int main(void)
{
	storm(0, 100);
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		if (bind_port(fd, ALLOWED) < 0 && errno == EINTR)
			WRONG("bind: %m");
		if (listen(fd, 1) < 0 && errno == EINTR)
			WRONG("listen: %m");
		close(fd);
	}
	_exit(0);
}
