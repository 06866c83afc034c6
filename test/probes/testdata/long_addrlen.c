/*
 * kind: attack
 *
 * bind(2) with an address that is longer than its family needs. The kernel accepts up
 * to 128 bytes (struct sockaddr_storage) for a sockaddr_in of 16 bytes or a
 * sockaddr_in6 of 28 bytes. It also accepts a sockaddr_in6 from 24 bytes on, without a
 * scope id.
 *
 * Bare kernel: binds the forbidden port with each of these lengths.
 *
 * port-restricter: EPERM with each of them.
 */
#include "probe.h"

int main(void)
{
	for (socklen_t length = 17; length <= 128; length++) {
		union addr a = loopback(AF_INET, FORBIDDEN);
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		refused(fd, bind(fd, &a.any, length));
		close(fd);
		if (length < 24)
			continue;
		a = loopback(AF_INET6, FORBIDDEN);
		fd = sock(AF_INET6, SOCK_DGRAM, 0);
		refused(fd, bind(fd, &a.any, length));
		close(fd);
	}
}
