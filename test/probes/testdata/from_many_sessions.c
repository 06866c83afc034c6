/*
 * kind: attack
 *
 * 300 short-lived processes bind, one after the other. The ids of the processes that
 * have ended are given to other processes, so nothing may be remembered for an id.
 *
 * Bare kernel: each can bind the forbidden port.
 *
 * port-restricter: each can bind the allowed port, and is refused the forbidden one
 * with EPERM.
 */
#include "probe.h"

int main(void)
{
	for (int i = 0; i < 300; i++)
		CHILD(
			int fd = sock(AF_INET, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0);
			WORKS(bind_port(fd, ALLOWED));
			fd = sock(AF_INET, SOCK_STREAM, 0);
			bind_forbidden(fd));
}
