/*
 * kind: behaviour
 * expect cli-root: 3
 * expect cli-user: 3
 * expect runc: 3
 *
 * A process with two threads binds a netlink socket with 128 bytes of address, and the
 * kernel picks the port id.
 *
 * Bare kernel: the port id is the pid of the caller.
 *
 * port-restricter: a helper makes the call for a process with several threads, and the
 * kernel takes the pid of the helper. The probe then ends with status 3. This cannot
 * be closed.
 */
#include "probe.h"

int main(void)
{
	thread(idle, NULL);
	int fd = sock(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	union addr a = {.nl = {.nl_family = AF_NETLINK}}, got = {0};
	socklen_t size = sizeof got;
	WORKS(bind(fd, &a.any, 128));
	WORKS(getsockname(fd, &got.any, &size));
	if (got.nl.nl_pid != (unsigned)getpid())
		WRONG("the port id is %u, not the pid %d", got.nl.nl_pid, getpid());
}
