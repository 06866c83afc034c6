/*
 * kind: attack
 *
 * listen(2) on an unbound socket binds the socket to a port of the kernel's choice.
 *
 * Bare kernel: listens at that port.
 *
 * port-restricter: EPERM, and nothing is bound.
 */
#include "probe.h"

int main(void)
{
	static const struct { int domain, protocol; } kinds[] = {
		{AF_INET, 0}, {AF_INET6, 0}, {AF_INET, IPPROTO_MPTCP}, {AF_INET6, IPPROTO_MPTCP}};
	for (int i = 0; i < 4; i++) {
		if (!has(kinds[i].domain, SOCK_STREAM, kinds[i].protocol))
			continue; /* a kernel without MPTCP */
		int fd = sock(kinds[i].domain, SOCK_STREAM, kinds[i].protocol);
		refused(fd, listen(fd, 1));
	}
}
