/*
 * kind: behaviour
 * ports: 80
 * compare: stdout
 *
 * A process with the caller's capabilities binds port 80, then does so with
 * CAP_NET_BIND_SERVICE as its only capability.
 *
 * Under port-restricter the result is the same as on the bare kernel: if the process
 * has the capability, it gets the port, and needs nothing else.
 */
#include "probe.h"

static void check(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	SHOW(bind_port(fd, 80));
	close(fd);
	fd = sock(AF_INET, SOCK_STREAM, 0);
	keep_caps(1 << CAP_NET_BIND_SERVICE);
	SHOW(bind_port(fd, 80));
	close(fd);
	fd = sock(AF_INET6, SOCK_DGRAM, 0);
	SHOW(bind_port(fd, 80));
	close(fd);
}

int main(void)
{
	WITH_ONE_AND_TWO_THREADS(check());
}
