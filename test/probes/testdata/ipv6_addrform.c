/*
 * kind: attack
 *
 * IPV6_ADDRFORM makes an IPv4 socket of an IPv6 socket that is connected to an
 * IPv4-mapped address. After a disconnect the socket binds with an IPv4 address, whose
 * fields are at other offsets than those of an IPv6 address.
 *
 * Bare kernel: binds the forbidden port.
 *
 * port-restricter: the address is parsed for the family that the socket has now. The
 * forbidden port is refused with EPERM, and the allowed one is bound.
 */
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET6, SOCK_DGRAM, 0), family = AF_INET;
	union addr a = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)}};
	union addr none = {.any.sa_family = AF_UNSPEC};
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.in6.sin6_addr);
	MUST(connect(fd, &a.any, sizeof a.in6));
	MUST(setsockopt(fd, IPPROTO_IPV6, 1 /* IPV6_ADDRFORM */, &family, sizeof family));
	MUST(connect(fd, &none.any, sizeof a.in));
	bind_forbidden(fd);
	WORKS(bind_port(fd, ALLOWED));
}
