// kind: behaviour
// expect runc: 0|3 runc 1.1 takes no WAIT_KILLABLE_RECV: an answer in some 100,000 is lost to a signal that comes with it
// Without SA_RESTART: who was told EINTR asks again and is served.
#include "probe.h"

int main(void)
{
	storm(0, 100);
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_STREAM, 0), tries = 0, result;
		while ((result = bind_port(fd, ALLOWED)) < 0 && errno == EINTR)
			tries++;
		if (result < 0 && tries == 0 && errno == EADDRINUSE) {
			close(fd); /* the bare kernel says so too, once in a million times, of a listener just closed */
			continue;
		}
		if (result < 0)
			WRONG("bind after %d times EINTR: %m", tries);
		if (port_of(fd) != ALLOWED)
			WRONG("bind worked after %d times EINTR, and the port is %d", tries, port_of(fd));
		while ((result = listen(fd, 1)) < 0 && errno == EINTR)
			;
		WORKS(result);
		close(fd);
	}
	_exit(0);
}
