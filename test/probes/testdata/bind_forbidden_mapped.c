// kind: attack
// An IPv6 socket at an IPv4-mapped address.
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET6, SOCK_STREAM, 0);
	union addr a = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(FORBIDDEN)}};
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.in6.sin6_addr);
	int result = bind(fd, &a.any, sizeof a.in6), error = errno;
	if (result == 0 && listen(fd, 1) == 0 && reached(AF_INET, FORBIDDEN))
		BROKEN("reached at 127.0.0.1:%d", FORBIDDEN);
	errno = error;
	refused(fd, result);
}
