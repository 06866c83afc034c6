/*
 * kind: attack
 *
 * bind(2) of an IPv6 socket to a forbidden port at an IPv4-mapped address, where IPv4
 * clients reach the socket.
 *
 * Bare kernel: binds the port.
 *
 * port-restricter: EPERM, and nothing is bound.
 */
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET6, SOCK_STREAM, 0);
	union addr a = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(FORBIDDEN)}};
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.in6.sin6_addr);
	int result = bind(fd, &a.any, sizeof a.in6), error = errno;
	if (result == 0 && listen(fd, 1) == 0 && reached(AF_INET, FORBIDDEN))
		BROKEN("a client reached the socket at 127.0.0.1:%d", FORBIDDEN);
	errno = error;
	refused(fd, result);
}
