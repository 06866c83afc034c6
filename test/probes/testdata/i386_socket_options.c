/*
 * kind: behaviour
 * arch: i386
 * compare: stdout
 *
 * A 32-bit program sets socket options through socketcall(2). The supervisor makes
 * these calls from a copy of the option's value.
 *
 * Each option must be set, or refused with an errno, as on the bare kernel. What
 * getsockopt(2) reads back must be the same too.
 */
#include "probe.h"

#include <net/if.h>

static int set(int fd, int level, int name, const void *value, socklen_t length)
{
	long block[] = {fd, level, name, (long)value, length};
	return syscall(SYS_socketcall, 14, block);
}

static void read_back(int fd, int level, int name)
{
	unsigned char value[64] = {0};
	socklen_t length = sizeof value;
	printf("option %d/%d:", level, name);
	if (getsockopt(fd, level, name, value, &length) == 0)
		for (unsigned i = 0; i < length; i++)
			printf(" %02x", value[i]);
	puts("");
}

struct narrow { int32_t s, us; };
struct wide { int64_t s, us; };

#define SET(fd, level, name, ...) \
	do { \
		const __typeof__(__VA_ARGS__) *v_ = &(__VA_ARGS__); \
		show(#level " " #name, set(fd, level, name, v_, sizeof *v_)); \
		read_back(fd, level, name); \
	} while (0)

int main(void)
{
	int tcp = sock(AF_INET, SOCK_STREAM, 0), udp = sock(AF_INET, SOCK_DGRAM, 0);
	int six = sock(AF_INET6, SOCK_STREAM, 0), pair[2];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	int on = 1, bad = -1;
	SET(tcp, SOL_SOCKET, SO_REUSEADDR, on);
	SET(tcp, SOL_SOCKET, SO_REUSEPORT, on);
	SET(tcp, SOL_SOCKET, SO_KEEPALIVE, on);
	SET(tcp, SOL_SOCKET, SO_SNDBUF, (int){4096});
	SET(tcp, SOL_SOCKET, SO_SNDBUFFORCE, (int){1 << 20});
	SET(tcp, SOL_SOCKET, SO_LINGER, ((struct linger){1, 5}));
	SET(tcp, SOL_SOCKET, SO_RCVTIMEO, ((struct narrow){3, 500000}));
	SET(tcp, SOL_SOCKET, SO_SNDTIMEO, ((struct wide){3, 500000}));
	SET(tcp, SOL_SOCKET, SO_MARK, (int){7});
	SET(tcp, SOL_SOCKET, SO_PRIORITY, (int){7});
	SET(tcp, IPPROTO_TCP, TCP_NODELAY, on);
	SET(tcp, IPPROTO_TCP, TCP_CONGESTION, ((char[]){"reno"}));
	SET(tcp, IPPROTO_TCP, TCP_USER_TIMEOUT, (int){1000});
	SET(tcp, IPPROTO_IP, IP_TOS, (int){16});
	SET(tcp, IPPROTO_IP, IP_TTL, (char){9});
	SET(tcp, IPPROTO_IP, IP_TRANSPARENT, on);
	SET(udp, SOL_SOCKET, SO_BROADCAST, on);
	SET(udp, SOL_SOCKET, SO_BINDTODEVICE, ((char[]){"lo"}));
	SET(udp, IPPROTO_IP, IP_MULTICAST_IF, ((struct in_addr){htonl(INADDR_LOOPBACK)}));
	SET(udp, IPPROTO_IP, IP_ADD_MEMBERSHIP,
	    ((struct ip_mreq){{htonl(0xe0000101)}, {htonl(INADDR_LOOPBACK)}}));
	SET(six, IPPROTO_IPV6, IPV6_V6ONLY, on);
	SET(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, (int){9});
	SET(pair[0], SOL_SOCKET, SO_PASSCRED, on);
	SHOW(set(-1, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
	SHOW(set(tcp, SOL_SOCKET, SO_REUSEADDR, NULL, sizeof on));
	SHOW(set(tcp, SOL_SOCKET, SO_REUSEADDR, &on, 1));
	SHOW(set(tcp, SOL_SOCKET, SO_REUSEADDR, &on, bad));
	SHOW(set(tcp, SOL_SOCKET, 9999, &on, sizeof on));
	SHOW(set(tcp, IPPROTO_IP, IP_TOS, &on, 0));
}
