/*
 * kind: attack
 *
 * IP_LOCAL_PORT_RANGE (Linux 6.3) with a range of a single port makes the kernel's
 * choice of a port the program's. sendto(2) on an unbound UDP socket then binds that
 * port.
 *
 * Bare kernel: sendto(2) binds the port of the range.
 *
 * port-restricter: setsockopt(2) fails with EPERM, and sendto(2) gets another port.
 */
#include "probe.h"

int main(void)
{
	needs_port_ranges();
	static const int domains[] = {AF_INET, AF_INET6};
	for (int i = 0; i < 2; i++) {
		int fd = sock(domains[i], SOCK_DGRAM, 0);
		uint32_t range = RANGE(41001, 41001);
		int result = setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range);
		int error = errno;
		union addr a = loopback(domains[i], 9);
		MUST(sendto(fd, "", 1, 0, &a.any, size_of(domains[i])));
		if (port_of(fd) == 41001)
			BROKEN("sendto bound the socket to port 41001");
		if (result == 0 || error != EPERM)
			WRONG("setsockopt: %s; expected EPERM", result ? strerror(error) : "worked");
	}
}
