/*
 * kind: attack
 * ports: 1024-65535
 *
 * After a disconnect, getsockname(2) still returns the old port of an MPTCP socket, but
 * listen(2) picks another one, at every address. The policy permits all ports above 1023
 * here, but not a port of the kernel's choice.
 *
 * Bare kernel: listens at a port of the kernel's choice.
 *
 * port-restricter: the socket was not bound to a port by bind(2), so listen(2) fails with
 * EPERM.
 */
#include "probe.h"

int main(void)
{
	int server = sock(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	int client = sock(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	union addr a = loopback(AF_INET, ALLOWED), none = {.any.sa_family = AF_UNSPEC};
	WORKS(bind_port(server, ALLOWED));
	WORKS(listen(server, 1));
	MUST(connect(client, &a.any, sizeof a.in));
	MUST(connect(client, &none.any, sizeof a.in));
	int before = port_of(client);
	if (listen(client, 1) == 0)
		BROKEN("the socket listens at port %d; before listen(2) its port was %d",
		       port_of(client), before);
	if (errno != EPERM)
		WRONG("listen: %m; expected EPERM");
}
