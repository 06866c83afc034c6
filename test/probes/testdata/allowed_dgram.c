/*
 * kind: behaviour
 *
 * Each kind of datagram socket (UDP and UDP-Lite, over IPv4 and IPv6) binds the
 * allowed port and receives what a client sends there.
 *
 * Bare kernel and port-restricter: everything works, and the socket is bound to the
 * port that was asked for.
 */
#include "probe.h"

int main(void)
{
	static const int domains[] = {AF_INET, AF_INET6}, protocols[] = {0, IPPROTO_UDPLITE};
	for (int i = 0; i < 4; i++) {
		int domain = domains[i % 2];
		if (!has(domain, SOCK_DGRAM, protocols[i / 2]))
			continue; /* UDP-Lite, which newer kernels do not have */
		int server = sock(domain, SOCK_DGRAM, protocols[i / 2]);
		int client = sock(domain, SOCK_DGRAM, protocols[i / 2]);
		union addr a = loopback(domain, ALLOWED);
		WORKS(bind_port(server, ALLOWED));
		if (port_of(server) != ALLOWED)
			WRONG("bound to port %d, not to the allowed one", port_of(server));
		WORKS(sendto(client, "x", 1, 0, &a.any, size_of(domain)));
		char byte = 0;
		if (WORKS(read(server, &byte, 1)) != 1 || byte != 'x')
			WRONG("the server did not receive the byte that the client sent");
		close(server);
		close(client);
	}
}
