/*
 * kind: attack
 *
 * bind(2) to port 0 makes the kernel choose a port, which need not be the allowed one. Then
 * the socket listens there.
 *
 * Bare kernel: listens at a port of the kernel's choice.
 *
 * port-restricter: bind(2) works, as for a client, and listen(2) fails with EPERM, also when it
 * is asked again, and after a disconnect.
 */
#include "probe.h"

static void attack(int domain, int protocol)
{
	int fd = sock(domain, SOCK_STREAM, protocol);
	union addr none = {.any.sa_family = AF_UNSPEC};
	WORKS(bind_port(fd, 0));
	for (int tries = 0; tries < 2; tries++) {
		if (listen(fd, 1) == 0)
			no_harm(fd);
		else if (errno != EPERM)
			WRONG("listen: %m; expected EPERM");
		connect(fd, &none.any, sizeof none.in);
	}
	close(fd);
}

int main(void)
{
	attack(AF_INET, 0);
	attack(AF_INET6, 0);
	if (has(AF_INET, SOCK_STREAM, IPPROTO_MPTCP)) {
		attack(AF_INET, IPPROTO_MPTCP);
		attack(AF_INET6, IPPROTO_MPTCP);
	}
}
