// kind: behaviour
// compare: stdout
// Multicast groups: only who may join them joins them.
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
	ALONE_AND_IN_COMPANY(check());
	CHILD(keep_caps(0); company = "without capabilities"; check());
	CHILD(keep_caps(0); thread(idle, NULL); company = "without capabilities, with a second thread"; check());
}
