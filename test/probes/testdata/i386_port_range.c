// kind: attack
// arch: i386
// IP_LOCAL_PORT_RANGE through both of the 32-bit ways to setsockopt(2).
#include "probe.h"

int main(void)
{
	uint32_t range = RANGE(41004, 41004);
	for (int way = 0; way < 2; way++) {
		int fd = sock(AF_INET, SOCK_DGRAM, 0);
		long block[] = {fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, (long)&range, sizeof range};
		int result = way ? syscall(SYS_socketcall, 14, block)
				 : syscall(SYS_setsockopt, fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range);
		int error = errno;
		union addr a = loopback(AF_INET, 9);
		MUST(sendto(fd, "", 1, 0, &a.any, sizeof a.in));
		if (port_of(fd) == 41004)
			BROKEN("sendto bound to port 41004");
		if (result == 0 || error != EPERM)
			WRONG("setsockopt: %s", result ? strerror(error) : "worked");
		close(fd);
	}
}
