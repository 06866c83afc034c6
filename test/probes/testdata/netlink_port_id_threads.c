// kind: behaviour
// expect cli-root: 3 for several threads a helper process makes the call, and the kernel takes its pid
// expect cli-user: 3
// expect runc: 3
// The port id that the kernel chooses for 128 bytes, of a process with several threads.
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
		WRONG("port id %u, pid %d", got.nl.nl_pid, getpid());
}
