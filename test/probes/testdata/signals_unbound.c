// kind: behaviour
// expect runc: 0|3 runc 1.1 takes no WAIT_KILLABLE_RECV: the signal comes between the bind and the answer
// No socket is left bound for a caller that was told EINTR.
#include "probe.h"

int main(void)
{
	storm(0, 100);
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		if (bind_port(fd, ALLOWED) < 0 && errno == EINTR && (usleep(200), port_of(fd)))
			WRONG("EINTR, and bound to port %d", port_of(fd));
		close(fd);
	}
	_exit(0);
}
