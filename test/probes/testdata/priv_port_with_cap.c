// kind: behaviour
// ports: 80
// compare: stdout
// Who has the capability has the port, alone and with nothing else.
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
	ALONE_AND_IN_COMPANY(check());
}
