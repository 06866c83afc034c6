/*
 * kind: behaviour
 * arch: i386
 *
 * A 32-bit program without capabilities sets socket options through socketcall(2) that
 * need CAP_NET_ADMIN or CAP_NET_RAW, in a user namespace that its own user made. The
 * supervisor of the same user owns the namespace and has every capability there.
 *
 * Bare kernel and port-restricter: EPERM, for one thread and for two.
 */
#include "probe.h"

static int set(int fd, int level, int name, const void *value, socklen_t length)
{
	long block[] = {fd, level, name, (long)value, length};
	return syscall(SYS_socketcall, 14, block);
}

static void check(void)
{
	int tcp = sock(AF_INET, SOCK_STREAM, 0), six = sock(AF_INET6, SOCK_STREAM, 0);
	int netlink = sock(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), on = 1, large = 1 << 20, high = 7;
	FAILS(set(tcp, SOL_SOCKET, SO_MARK, &high, sizeof high), EPERM);
	FAILS(set(tcp, SOL_SOCKET, SO_PRIORITY, &high, sizeof high), EPERM);
	FAILS(set(tcp, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large), EPERM);
	FAILS(set(tcp, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large), EPERM);
	FAILS(set(tcp, SOL_SOCKET, SO_DEBUG, &on, sizeof on), EACCES);
	FAILS(set(tcp, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on), EPERM);
	FAILS(set(six, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on), EPERM);
	FAILS(set(tcp, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on), EPERM);
	FAILS(set(netlink, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof on), EPERM);
	int low = 6;
	WORKS(set(tcp, SOL_SOCKET, SO_PRIORITY, &low, sizeof low));
}

int main(void)
{
	enter_net_namespace();
	keep_caps(0);
	WITH_ONE_AND_TWO_THREADS(check());
}
