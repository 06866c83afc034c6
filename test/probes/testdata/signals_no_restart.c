/*
 * kind: behaviour
 * expect runc: 0|3
 * expect cli-root before 5.19: 0|3
 * expect cli-user before 5.19: 0|3
 *
 * bind(2) and listen(2) under a storm of signals whose handler has no SA_RESTART. A
 * caller that gets EINTR calls again.
 *
 * Bare kernel: no call fails with EINTR.
 *
 * port-restricter: the repeated call works, even if the first one had bound the socket
 * already. runc 1.1 does not know SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19).
 * Without that flag one answer in about 100,000 is lost to a signal that comes at the
 * same time, so status 3 is right there as well.
 */
#include "probe.h"

int main(void)
{
	storm(0, 100);
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_STREAM, 0), tries = 0, result;
		while ((result = bind_port(fd, ALLOWED)) < 0 && errno == EINTR)
			tries++;
		if (result < 0 && tries == 0 && errno == EADDRINUSE) {
			/*
			 * The bare kernel fails so too, about once in a million times, if a
			 * listener at the port was closed just before.
			 */
			close(fd);
			continue;
		}
		if (result < 0)
			WRONG("bind failed after it was interrupted %d times: %m", tries);
		if (port_of(fd) != ALLOWED)
			WRONG("bind worked after it was interrupted %d times, but bound port %d", tries,
			      port_of(fd));
		while ((result = listen(fd, 1)) < 0 && errno == EINTR)
			;
		WORKS(result);
		close(fd);
	}
	_exit(0);
}
