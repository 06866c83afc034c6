// kind: behaviour
// ports: 80
// A port below 1024 needs CAP_NET_BIND_SERVICE, whatever the supervisor has.
#include "probe.h"

static void check(void)
{
	keep_caps(0);
	FAILS(bind_port(sock(AF_INET, SOCK_STREAM, 0), 80), EACCES);
	FAILS(bind_port(sock(AF_INET6, SOCK_DGRAM, 0), 80), EACCES);
}

int main(void)
{
	ALONE_AND_IN_COMPANY(check());
}
