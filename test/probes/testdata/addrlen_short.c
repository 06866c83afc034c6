/*
 * kind: behaviour
 *
 * bind(2) of an internet socket with an address of fewer than 16 bytes.
 *
 * Bare kernel: no internet socket accepts such an address. The call fails with EINVAL
 * and binds nothing.
 *
 * port-restricter: the same. The filter depends on this: it sends a bind(2) to the
 * supervisor only if the address has at least 16 bytes.
 */
#include "probe.h"

int main(void)
{
	static const struct { int domain, type, protocol; } kinds[] = {
		{AF_INET, SOCK_STREAM, 0},
		{AF_INET, SOCK_DGRAM, 0},
		{AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
		{AF_INET, SOCK_STREAM, IPPROTO_MPTCP},
		{AF_INET6, SOCK_STREAM, 0},
		{AF_INET6, SOCK_DGRAM, 0},
		{AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE},
		{AF_INET6, SOCK_STREAM, IPPROTO_MPTCP},
	};
	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (socklen_t length = 0; length < 16 &&
		     has(kinds[i].domain, kinds[i].type, kinds[i].protocol); length++) {
			int fd = sock(kinds[i].domain, kinds[i].type, kinds[i].protocol);
			union addr a = loopback(kinds[i].domain, ALLOWED);
			FAILS(bind(fd, &a.any, length), EINVAL);
			if (port_of(fd))
				WRONG("an address of %u bytes bound the socket to port %d", length, port_of(fd));
			close(fd);
		}
}
