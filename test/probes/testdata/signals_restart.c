/*
 * kind: behaviour
 * expect runc: 0|3
 * expect cli-root before 5.19: 0|3
 * expect cli-user before 5.19: 0|3
 *
 * bind(2) and listen(2) under a storm of signals whose handler has SA_RESTART.
 *
 * Bare kernel and port-restricter: every call works, and has its effect once. runc 1.1
 * does not know SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19). Without that flag
 * one answer in about 100,000 is lost to a signal that comes at the same time, so
 * status 3 is right there as well.
 */
#include "probe.h"

int main(void)
{
	storm(SA_RESTART, 100);
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		WORKS(bind_port(fd, ALLOWED));
		if (port_of(fd) != ALLOWED)
			WRONG("bind worked, but the socket is bound to port %d", port_of(fd));
		WORKS(listen(fd, 1));
		if (!option(fd, SO_ACCEPTCONN))
			WRONG("listen worked, but the socket does not listen");
		close(fd);
		fd = sock(AF_UNIX, SOCK_STREAM, 0);
		unlink("socket-in-a-storm");
		WORKS(bind_unix(fd, "socket-in-a-storm"));
		WORKS(listen(fd, 1));
		close(fd);
	}
	_exit(0);
}
