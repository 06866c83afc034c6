/*
 * kind: behaviour
 * expect runc: 0|3
 * expect cli-root before 5.19: 0|3
 * expect cli-user before 5.19: 0|3
 *
 * bind(2) under a storm of signals whose handler has no SA_RESTART.
 *
 * Bare kernel and port-restricter: if the caller gets EINTR, its socket is not bound.
 * runc 1.1 does not know SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19). Without
 * that flag a signal can come between the bind and the answer, so status 3 is right
 * there as well.
 */
#include "probe.h"

int main(void)
{
	storm(0, 100);
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		if (bind_port(fd, ALLOWED) < 0 && errno == EINTR && (usleep(200), port_of(fd)))
			WRONG("bind failed with EINTR, but the socket is bound to port %d", port_of(fd));
		close(fd);
	}
	_exit(0);
}
