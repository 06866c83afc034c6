// kind: behaviour
// expect runc: 0|3 runc 1.1 takes no WAIT_KILLABLE_RECV: an answer in some 100,000 is lost to a signal that comes with it
// A storm of signals with SA_RESTART: every bind and listen works, and is done once.
#include "probe.h"

int main(void)
{
	storm(SA_RESTART, 100);
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		WORKS(bind_port(fd, ALLOWED));
		if (port_of(fd) != ALLOWED)
			WRONG("bind worked, and the port is %d", port_of(fd));
		WORKS(listen(fd, 1));
		if (!option(fd, SO_ACCEPTCONN))
			WRONG("listen worked, and nobody listens");
		close(fd);
		fd = sock(AF_UNIX, SOCK_STREAM, 0);
		unlink("socket-in-a-storm");
		WORKS(bind_unix(fd, "socket-in-a-storm"));
		WORKS(listen(fd, 1));
		close(fd);
	}
	_exit(0);
}
