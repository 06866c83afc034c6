/*
 * kind: attack
 *
 * MPTCP gives the cookie of a listener (SO_COOKIE) to the sockets that accept(2) returns.
 * A program disconnects an accepted socket and calls listen(2) on it, which picks a port.
 *
 * Bare kernel: listens at a port of the kernel's choice.
 *
 * port-restricter: it knows the listener by its cookie, but only for the listen(2) that
 * makes it a listener. listen(2) on the accepted socket fails with EPERM.
 */
#include "probe.h"

int main(void)
{
	int server = sock(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	int client = sock(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	union addr a = loopback(AF_INET, ALLOWED), none = {.any.sa_family = AF_UNSPEC};
	uint64_t cookie;
	socklen_t length = sizeof cookie;
	WORKS(bind_port(server, ALLOWED));
	MUST(getsockopt(server, SOL_SOCKET, SO_COOKIE, &cookie, &length));
	WORKS(listen(server, 1));
	MUST(connect(client, &a.any, sizeof a.in));
	int accepted = MUST(accept(server, NULL, NULL));
	MUST(connect(accepted, &none.any, sizeof a.in));
	close(server);
	if (listen(accepted, 1) == 0)
		no_harm(accepted);
	else if (errno == EINVAL)
		NOT_APPLICABLE("the kernel (seen: 6.1) does not listen on a disconnected socket of MPTCP");
	else if (errno != EPERM)
		WRONG("listen: %m; expected EPERM");
}
