/*
 * kind: attack
 *
 * Another process changes the port in the sockaddr while bind(2) is in progress. The
 * sockaddr is in shared memory, so the number of threads does not show that somebody
 * else can change it.
 *
 * Bare kernel: the port that the kernel happens to read is bound, also the forbidden
 * one.
 *
 * port-restricter: the sockaddr is copied once, and the copy is checked and bound.
 */
#include "probe.h"

int main(void)
{
	union addr *a = shared(sizeof *a);
	*a = loopback(AF_INET, ALLOWED);
	volatile in_port_t *port = &a->in.sin_port;
	if (child() == 0)
		for (;;) {
			*port = htons(FORBIDDEN);
			*port = htons(ALLOWED);
		}
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_DGRAM, 0);
		bind(fd, &a->any, sizeof a->in);
		no_harm(fd);
		close(fd);
	}
	_exit(0);
}
