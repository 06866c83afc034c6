// kind: attack
// SCTP binds by setsockopt(2) as well.
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	union addr a = loopback(AF_INET, FORBIDDEN);
	refused(fd, setsockopt(fd, IPPROTO_SCTP, 100, &a, sizeof a.in));
}
