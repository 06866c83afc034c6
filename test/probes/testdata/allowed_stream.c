// kind: behaviour
// Bind, listen, connect, accept: each kind of stream socket, bound where it was asked to be.
#include "probe.h"

static void serve(int domain, int protocol)
{
	int server = sock(domain, SOCK_STREAM, protocol), client = MUST(socket(domain, SOCK_STREAM, protocol));
	union addr a = loopback(domain, ALLOWED);
	WORKS(bind_port(server, ALLOWED));
	if (port_of(server) != ALLOWED)
		WRONG("bound to port %d", port_of(server));
	WORKS(listen(server, 8));
	WORKS(listen(server, 16));
	WORKS(connect(client, &a.any, size_of(domain)));
	int peer = WORKS(accept(server, NULL, NULL));
	char byte = 0;
	WORKS(write(client, "x", 1));
	if (WORKS(read(peer, &byte, 1)) != 1 || byte != 'x')
		WRONG("got another byte");
	close(client);
	close(peer);
	close(server);
}

int main(void)
{
	static const int domains[] = {AF_INET, AF_INET6}, protocols[] = {0, IPPROTO_MPTCP};
	for (int i = 0; i < 4; i++)
		serve(domains[i % 2], protocols[i / 2]);
}
