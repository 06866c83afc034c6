// kind: behaviour
// expect cli-root: 0|3 until the supervisor has received the call, the kernel lets a signal interrupt it
// expect cli-user: 0|3
// expect runc: 0|3
// bind(2) of an internet socket never waits, so never gives EINTR.
#include "probe.h"

int main(void)
{
	storm(0, 100);
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		if (bind_port(fd, ALLOWED) < 0 && errno == EINTR)
			WRONG("bind: %m");
		if (listen(fd, 1) < 0 && errno == EINTR)
			WRONG("listen: %m");
		close(fd);
	}
	_exit(0);
}
