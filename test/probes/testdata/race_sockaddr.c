/*
 * kind: attack
 *
 * A thread changes the port in the sockaddr while bind(2) is in progress.
 *
 * Bare kernel: the port that the kernel happens to read is bound, also the forbidden
 * one.
 *
 * port-restricter: the sockaddr is copied once, and the copy is checked and bound.
 */
#include "probe.h"

static union addr a;
static volatile in_port_t *port = &a.in.sin_port;

static void *flip(void *arg)
{
	for (;;) {
		*port = htons(FORBIDDEN);
		*port = htons(ALLOWED);
	}
	return arg;
}

int main(void)
{
	a = loopback(AF_INET, ALLOWED);
	thread(flip, NULL);
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		bind(fd, &a.any, sizeof a.in);
		no_harm(fd);
		close(fd);
	}
	_exit(0);
}
