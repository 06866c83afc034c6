// kind: attack
// A range of one port, and the kernel's choice is ours: sendto(2) binds.
#include "probe.h"

int main(void)
{
	static const int domains[] = {AF_INET, AF_INET6};
	for (int i = 0; i < 2; i++) {
		int fd = sock(domains[i], SOCK_DGRAM, 0);
		uint32_t range = RANGE(41001, 41001);
		int result = setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range), error = errno;
		union addr a = loopback(domains[i], 9);
		MUST(sendto(fd, "", 1, 0, &a.any, size_of(domains[i])));
		if (port_of(fd) == 41001)
			BROKEN("sendto bound to port 41001");
		if (result == 0 || error != EPERM)
			WRONG("setsockopt: %s", result ? strerror(error) : "worked");
	}
}
