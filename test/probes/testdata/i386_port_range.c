/*
 * kind: attack
 * arch: i386
 *
 * A 32-bit program sets IP_LOCAL_PORT_RANGE (Linux 6.3) to a range of a single port,
 * which makes the kernel's choice of a port the program's. It sets the option by
 * setsockopt(2) and by socketcall(2).
 *
 * Bare kernel: sendto(2) binds the port.
 *
 * port-restricter: both calls fail with EPERM, and sendto(2) gets another port.
 */
#include "probe.h"

int main(void)
{
	needs_port_ranges();
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
			BROKEN("sendto bound the socket to port 41004");
		if (result == 0 || error != EPERM)
			WRONG("setsockopt: %s; expected EPERM", result ? strerror(error) : "worked");
		close(fd);
	}
}
