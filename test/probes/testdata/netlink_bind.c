/*
 * kind: behaviour
 *
 * A netlink socket binds, and the kernel picks its port id. A struct sockaddr_nl has
 * 12 bytes: a bind(2) of that length never leaves the kernel, and the port id is the
 * pid of the caller. The kernel also accepts 128 bytes: a bind(2) of that length goes
 * to the supervisor.
 *
 * Bare kernel and port-restricter: both lengths work, and with 12 bytes the port id is
 * the caller's pid. For the port id with 128 bytes see netlink_port_id_threads.c.
 */
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
			WRONG("%s: the port id is %u, not the pid %d", situation, got.nl.nl_pid, getpid());
		close(fd);
	}
}

int main(void)
{
	WITH_ONE_AND_TWO_THREADS(check());
}
