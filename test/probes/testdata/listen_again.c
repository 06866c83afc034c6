/*
 * kind: behaviour
 *
 * A server calls listen(2) more than once on one socket, as nginx does to change the
 * backlog, and after shutdown(2), which ends the listening but not the binding.
 *
 * Bare kernel and port-restricter: each listen(2) works, and clients reach the port.
 */
#include "probe.h"

static void check(int domain, int protocol)
{
	int fd = sock(domain, SOCK_STREAM, protocol);
	WORKS(bind_port(fd, ALLOWED));
	for (int backlog = 1; backlog < 4; backlog++) {
		WORKS(listen(fd, backlog));
		if (!reached(domain, ALLOWED))
			WRONG("no client reaches port %d", ALLOWED);
	}
	MUST(shutdown(fd, SHUT_RDWR));
	WORKS(listen(fd, 1));
	if (port_of(fd) != ALLOWED || !reached(domain, ALLOWED))
		WRONG("after shutdown(2) the socket listens at port %d", port_of(fd));
	close(fd);
}

int main(void)
{
	WITH_ONE_AND_TWO_THREADS(check(AF_INET, 0); check(AF_INET6, 0));
	/* In another process than the one that bound the socket. */
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	WORKS(bind_port(fd, ALLOWED));
	CHILD(WORKS(listen(fd, 1)));
	if (!reached(AF_INET, ALLOWED))
		WRONG("no client reaches the listener of a child");
}
