// kind: attack
// The same with garbage where the kernel doesn't look.
#include "probe.h"

int main(void)
{
	static const uint64_t garbage[] = {0, 1ULL << 32, ~0ULL << 32};
	for (int i = 0; i < 9; i++) {
		int fd = sock(AF_INET, SOCK_DGRAM, 0);
		uint32_t range = RANGE(41001, 41001);
		syscall(SYS_setsockopt, fd, IPPROTO_IP | garbage[i / 3], IP_LOCAL_PORT_RANGE | garbage[i % 3], &range,
			sizeof range | garbage[i % 3]);
		union addr a = loopback(AF_INET, 9);
		MUST(sendto(fd, "", 1, 0, &a.any, sizeof a.in));
		if (port_of(fd) == 41001)
			BROKEN("sendto bound to port 41001 (garbage %d)", i);
		close(fd);
	}
}
