// kind: behaviour
// Bind, send, receive: each kind of datagram socket.
#include "probe.h"

int main(void)
{
	static const int domains[] = {AF_INET, AF_INET6}, protocols[] = {0, IPPROTO_UDPLITE};
	for (int i = 0; i < 4; i++) {
		int domain = domains[i % 2];
		int server = sock(domain, SOCK_DGRAM, protocols[i / 2]), client = sock(domain, SOCK_DGRAM, protocols[i / 2]);
		union addr a = loopback(domain, ALLOWED);
		WORKS(bind_port(server, ALLOWED));
		if (port_of(server) != ALLOWED)
			WRONG("bound to port %d", port_of(server));
		WORKS(sendto(client, "x", 1, 0, &a.any, size_of(domain)));
		char byte = 0;
		if (WORKS(read(server, &byte, 1)) != 1 || byte != 'x')
			WRONG("got another byte");
		close(server);
		close(client);
	}
}
