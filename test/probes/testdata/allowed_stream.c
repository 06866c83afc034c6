/*
 * kind: behaviour
 *
 * Each kind of stream socket (TCP and MPTCP, over IPv4 and IPv6) binds the allowed
 * port, listens, and accepts a client. MPTCP needs Linux 5.6
 * built with it.
 *
 * Bare kernel and port-restricter: everything works, and the socket is bound to the
 * port that was asked for. A second listen(2), which changes the backlog, works too.
 */
#include "probe.h"

static void serve(int domain, int protocol)
{
	int server = sock(domain, SOCK_STREAM, protocol);
	int client = MUST(socket(domain, SOCK_STREAM, protocol));
	union addr a = loopback(domain, ALLOWED);
	WORKS(bind_port(server, ALLOWED));
	if (port_of(server) != ALLOWED)
		WRONG("bound to port %d, not to the allowed one", port_of(server));
	WORKS(listen(server, 8));
	WORKS(listen(server, 16));
	WORKS(connect(client, &a.any, size_of(domain)));
	int peer = WORKS(accept(server, NULL, NULL));
	char byte = 0;
	WORKS(write(client, "x", 1));
	if (WORKS(read(peer, &byte, 1)) != 1 || byte != 'x')
		WRONG("the server did not receive the byte that the client sent");
	close(client);
	close(peer);
	close(server);
}

int main(void)
{
	static const int domains[] = {AF_INET, AF_INET6}, protocols[] = {0, IPPROTO_MPTCP};
	for (int i = 0; i < 4; i++)
		if (has(domains[i % 2], SOCK_STREAM, protocols[i / 2]))
			serve(domains[i % 2], protocols[i / 2]);
}
