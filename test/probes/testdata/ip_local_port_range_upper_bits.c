/*
 * kind: attack
 *
 * IP_LOCAL_PORT_RANGE (Linux 6.3), as in ip_local_port_range_udp.c, with garbage in
 * the upper half of the registers of level, option and length. They are C ints: the
 * kernel ignores the upper half, but the BPF filter sees all 64 bits.
 *
 * Bare kernel: sendto(2) binds the port of the range.
 *
 * port-restricter: the filter compares the lower half only, so the option is refused
 * and sendto(2) gets another port.
 */
#include "probe.h"

#include <inttypes.h>

int main(void)
{
	needs_port_ranges();
	static const uint64_t garbage[] = {0, 1ULL << 32, ~0ULL << 32};
	for (int i = 0; i < 9; i++) {
		int fd = sock(AF_INET, SOCK_DGRAM, 0);
		uint32_t range = RANGE(41001, 41001);
		syscall(SYS_setsockopt, fd, IPPROTO_IP | garbage[i / 3],
			IP_LOCAL_PORT_RANGE | garbage[i % 3], &range, sizeof range | garbage[i % 3]);
		union addr a = loopback(AF_INET, 9);
		MUST(sendto(fd, "", 1, 0, &a.any, sizeof a.in));
		if (port_of(fd) == 41001)
			BROKEN("sendto bound the socket to port 41001 (level | %#" PRIx64
			       ", option | %#" PRIx64 ")", garbage[i / 3], garbage[i % 3]);
		close(fd);
	}
}
