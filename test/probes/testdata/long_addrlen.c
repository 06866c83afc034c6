// kind: attack
// The kernel takes up to 128 bytes for a sockaddr of 16 or 28.
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
