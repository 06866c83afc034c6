// kind: attack
// AF_SMC binds the TCP port of its fallback socket.
#include "probe.h"

int main(void)
{
	int fd = sock(43, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, FORBIDDEN);
	refused(fd, bind(fd, &a.any, sizeof a.in));
}
