/*
 * kind: behaviour
 *
 * A client that binds its socket to port 0 first, as musl's resolver, dig, QUIC clients and
 * `ssh -b` do. Go's net package finds out in this way whether the machine has IPv6.
 *
 * Bare kernel and port-restricter: the client works, and the policy need not list a port for it.
 */
#include "probe.h"

/* A server that listens at the allowed port. */
static void serve(int domain, int type)
{
	int fd = sock(domain, type, 0);
	WORKS(bind_port(fd, ALLOWED));
	if (type == SOCK_STREAM)
		WORKS(listen(fd, 8));
}

static void client(int domain, int type, int protocol)
{
	int fd = sock(domain, type, protocol);
	union addr server = loopback(domain, ALLOWED);
	WORKS(bind_port(fd, 0));
	if (!port_of(fd))
		WRONG("the kernel picked no port");
	WORKS(connect(fd, &server.any, size_of(domain)));
	WORKS(send(fd, "x", 1, 0));
}

int main(void)
{
	static const int domains[] = {AF_INET, AF_INET6};
	for (int i = 0; i < 2; i++) {
		serve(domains[i], SOCK_STREAM);
		serve(domains[i], SOCK_DGRAM);
		client(domains[i], SOCK_STREAM, 0);
		if (has(domains[i], SOCK_STREAM, IPPROTO_MPTCP))
			client(domains[i], SOCK_STREAM, IPPROTO_MPTCP);
		client(domains[i], SOCK_DGRAM, 0);
	}
}
