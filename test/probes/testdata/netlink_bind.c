// kind: behaviour
// Netlink: 12 bytes never leave the kernel, and the port id is the caller's pid; 128 do.
#include "probe.h"

static void check(void)
{
	static const socklen_t lengths[] = {sizeof(struct sockaddr_nl), 128};
	for (int i = 0; i < 2; i++) {
		int fd = sock(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
		union addr a = {.nl = {.nl_family = AF_NETLINK}}, got = {0};
		socklen_t size = sizeof got;
		WORKS(bind(fd, &a.any, lengths[i]));
		WORKS(getsockname(fd, &got.any, &size));
		if (got.nl.nl_pid != (unsigned)getpid() && i == 0)
			WRONG("%s: port id %u, pid %d", company, got.nl.nl_pid, getpid());
		close(fd);
	}
}

int main(void)
{
	ALONE_AND_IN_COMPANY(check());
}
