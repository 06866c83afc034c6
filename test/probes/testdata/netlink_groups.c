/*
 * kind: behaviour
 * compare: stdout
 *
 * A netlink socket joins multicast groups in bind(2), with 12 bytes of address (which
 * never leaves the kernel) and with 128 (which goes to the supervisor).
 *
 * Under port-restricter the call has the same result as on the bare kernel: only a
 * caller that may join a group joins it, whatever privileges the supervisor has.
 */
#include "probe.h"

static int join_group(int protocol, unsigned groups, socklen_t length)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, protocol);
	union addr a = {.nl = {.nl_family = AF_NETLINK, .nl_groups = groups}};
	int result = bind(fd, &a.any, length), error = errno;
	close(fd);
	errno = error;
	return result;
}

static void check(void)
{
	static const socklen_t lengths[] = {sizeof(struct sockaddr_nl), 128};
	for (int i = 0; i < 2; i++) {
		SHOW(join_group(NETLINK_ROUTE, 1, lengths[i]));
		SHOW(join_group(NETLINK_NETFILTER, 1, lengths[i]));
		SHOW(join_group(NETLINK_XFRM, 1, lengths[i]));
		SHOW(join_group(NETLINK_KOBJECT_UEVENT, 1, lengths[i]));
	}
}

int main(void)
{
	WITH_ONE_AND_TWO_THREADS(check());
	CHILD(keep_caps(0); situation = "without capabilities"; check());
	CHILD(
		keep_caps(0);
		thread(idle, NULL);
		situation = "without capabilities, with two threads";
		check());
}
