/*
 * kind: behaviour
 * ports: 80
 *
 * A process without capabilities binds port 80, which the policy permits.
 *
 * Bare kernel and port-restricter: EACCES. A port below 1024 needs
 * CAP_NET_BIND_SERVICE in the caller, whatever the supervisor has.
 */
#include "probe.h"

static void check(void)
{
	keep_caps(0);
	FAILS(bind_port(sock(AF_INET, SOCK_STREAM, 0), 80), EACCES);
	FAILS(bind_port(sock(AF_INET6, SOCK_DGRAM, 0), 80), EACCES);
}

int main(void)
{
	WITH_ONE_AND_TWO_THREADS(check());
}
