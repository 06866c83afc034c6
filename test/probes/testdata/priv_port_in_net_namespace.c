/*
 * kind: behaviour
 * ports: 80
 *
 * A process in a network namespace of its own binds port 80: with CAP_NET_BIND_SERVICE
 * in the user namespace that owns it, and after dropping the capability.
 *
 * Bare kernel and port-restricter: the first bind works, and the port can be reached
 * there. The others fail with EACCES.
 */
#include "probe.h"

static void check(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	WORKS(bind_port(fd, 80));
	WORKS(listen(fd, 1));
	if (!reached(AF_INET, 80))
		WRONG("%s: no client can reach the listener at port 80", situation);
	close(fd);
	keep_caps(0);
	FAILS(bind_port(sock(AF_INET, SOCK_STREAM, 0), 80), EACCES);
	FAILS(bind_port(sock(AF_INET6, SOCK_DGRAM, 0), 80), EACCES);
}

int main(void)
{
	enter_net_namespace();
	WITH_ONE_AND_TWO_THREADS(check());
}
