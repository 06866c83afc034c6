/*
 * kind: attack
 *
 * connect(2) picks a local port for a TCP socket. The port outlives the connection, so
 * that after a disconnect (connect(2) with AF_UNSPEC) the socket can listen there
 * without a bind(2).
 *
 * Bare kernel: listens at the port that connect(2) picked.
 *
 * port-restricter: listen(2) is checked against the local port and fails with EPERM.
 */
#include "probe.h"

int main(void)
{
	int server = sock(AF_INET, SOCK_STREAM, 0), client = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, ALLOWED), none = {.any.sa_family = AF_UNSPEC};
	WORKS(bind_port(server, ALLOWED));
	WORKS(listen(server, 1));
	MUST(connect(client, &a.any, sizeof a.in));
	MUST(connect(client, &none.any, sizeof a.in));
	if (listen(client, 1) == 0)
		no_harm(client);
	else if (errno != EPERM)
		WRONG("listen: %m; expected EPERM");
}
