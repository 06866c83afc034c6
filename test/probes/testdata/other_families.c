/*
 * kind: behaviour
 * compare: stdout
 *
 * bind(2) and listen(2) on packet, vsock, raw, ping and AF_ALG sockets, as far as the
 * kernel has them and the user may make them.
 *
 * The policy is about none of them. Under port-restricter each call must have the same
 * result as on the bare kernel.
 */
#include "probe.h"

#include <linux/if_alg.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <net/if.h>

static void try(const char *what, int domain, int type, int protocol, const void *a,
		socklen_t length)
{
	errno = 0;
	int fd = socket(domain, type, protocol);
	printf("%s socket, ", what);
	show("socket", fd < 0 ? -1 : 0);
	if (fd < 0)
		return;
	printf("%s socket, ", what);
	show("bind", bind(fd, a, length));
	printf("%s socket, ", what);
	show("listen", listen(fd, 1));
	close(fd);
}

static void check(void)
{
	struct sockaddr_ll packet = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex("lo"),
	};
	struct sockaddr_vm any = {
		.svm_family = AF_VSOCK,
		.svm_port = 5001,
		.svm_cid = VMADDR_CID_ANY,
	};
	struct sockaddr_vm low = any;
	low.svm_port = 80;
	struct sockaddr_alg alg = {.salg_family = AF_ALG, .salg_type = "hash", .salg_name = "sha256"};
	union addr four = loopback(AF_INET, FORBIDDEN), six = loopback(AF_INET6, FORBIDDEN);
	union addr zero = loopback(AF_INET, 0), away = four; /* away: an address of another host */
	away.in.sin_addr.s_addr = inet_addr("192.0.2.1");
	try("packet", AF_PACKET, SOCK_RAW, htons(ETH_P_ALL), &packet, sizeof packet);
	try("packet dgram", AF_PACKET, SOCK_DGRAM, 0, &packet, 128);
	try("vsock stream", AF_VSOCK, SOCK_STREAM, 0, &any, sizeof any);
	try("vsock low port", AF_VSOCK, SOCK_STREAM, 0, &low, sizeof low);
	try("vsock dgram", AF_VSOCK, SOCK_DGRAM, 0, &any, sizeof any);
	try("raw", AF_INET, SOCK_RAW, IPPROTO_UDP, &four, sizeof four.in);
	try("raw", AF_INET, SOCK_RAW, IPPROTO_TCP, &away, sizeof four.in);
	try("raw6", AF_INET6, SOCK_RAW, IPPROTO_UDP, &six, sizeof six.in6);
	six.in6.sin6_family = AF_INET;
	try("raw6 with another family", AF_INET6, SOCK_RAW, IPPROTO_UDP, &six, sizeof six.in6);
	six.in6.sin6_family = AF_INET6;
	try("raw6 with a short address", AF_INET6, SOCK_RAW, IPPROTO_UDP, &six, sizeof six.in6 - 5);
	try("ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, &four, sizeof four.in);
	try("ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, &zero, sizeof zero.in);
	try("ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, &six, sizeof six.in6);
	try("alg", AF_ALG, SOCK_SEQPACKET, 0, &alg, sizeof alg);
}

int main(void)
{
	WITH_ONE_AND_TWO_THREADS(check());
	CHILD(
		keep_caps(0);
		thread(idle, NULL);
		situation = "without capabilities, with two threads";
		check());
}
