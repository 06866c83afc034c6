// kind: behaviour
// ports: 80
// In a network namespace of its own: with the capability there, and after dropping it.
#include "probe.h"

static void check(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	WORKS(bind_port(fd, 80));
	WORKS(listen(fd, 1));
	if (!reached(AF_INET, 80))
		WRONG("%s: the listener at port 80 can't be reached", company);
	close(fd);
	keep_caps(0);
	FAILS(bind_port(sock(AF_INET, SOCK_STREAM, 0), 80), EACCES);
	FAILS(bind_port(sock(AF_INET6, SOCK_DGRAM, 0), 80), EACCES);
}

int main(void)
{
	enter_net_namespace();
	ALONE_AND_IN_COMPANY(check());
}
