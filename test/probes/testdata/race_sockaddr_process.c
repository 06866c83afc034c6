// kind: attack
// The same from another process: shared memory, which no thread count shows.
#include "probe.h"

int main(void)
{
	union addr *a = shared(sizeof *a);
	*a = loopback(AF_INET, ALLOWED);
	volatile in_port_t *port = &a->in.sin_port;
	if (child() == 0)
		for (;;) {
			*port = htons(FORBIDDEN);
			*port = htons(ALLOWED);
		}
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_DGRAM, 0);
		bind(fd, &a->any, sizeof a->in);
		no_harm(fd);
		close(fd);
	}
	_exit(0);
}
