// kind: behaviour
// expect cli-user: 3 on purpose: it can't be looked into, so it is refused
// A process that made itself undumpable: an ordinary user's supervisor can't look into it, and refuses.
#include "probe.h"

int main(void)
{
	MUST(prctl(PR_SET_DUMPABLE, 0));
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	WORKS(bind_port(fd, ALLOWED));
	WORKS(listen(fd, 1));
}
