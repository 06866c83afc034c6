/*
 * kind: behaviour
 *
 * A client does not call bind(2): the kernel chooses its port in connect(2) or
 * sendto(2).
 *
 * Bare kernel and port-restricter: clients work, and the policy need not list a port
 * for them.
 */
#include "probe.h"

int main(void)
{
	int server = sock(AF_INET, SOCK_STREAM, 0), client = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, ALLOWED), b = loopback(AF_INET6, 53);
	WORKS(bind_port(server, ALLOWED));
	WORKS(listen(server, 8));
	WORKS(connect(client, &a.any, sizeof a.in));
	int udp = sock(AF_INET, SOCK_DGRAM, 0);
	WORKS(sendto(udp, "", 1, 0, &a.any, sizeof a.in));
	WORKS(connect(sock(AF_INET6, SOCK_DGRAM, 0), &b.any, sizeof a.in6));
}
