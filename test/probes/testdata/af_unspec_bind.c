// kind: attack
// bind(2) on an IPv4 socket takes AF_UNSPEC with INADDR_ANY for AF_INET.
#include "probe.h"

int main(void)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
	for (int i = 0; i < 2; i++) {
		int fd = sock(AF_INET, types[i], 0);
		union addr a = {.in = {.sin_family = AF_UNSPEC, .sin_port = htons(FORBIDDEN)}};
		refused(fd, bind(fd, &a.any, sizeof a.in));
	}
}
