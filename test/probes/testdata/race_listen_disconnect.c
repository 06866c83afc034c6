// kind: attack
// ports: 5000,32768-46883
// connect(2) picks a port that is allowed, half of the time; a thread dissolves
// it just before listen(2), which then picks another.
#include "probe.h"

int main(void)
{
	int server = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, ALLOWED);
	WORKS(bind_port(server, ALLOWED));
	WORKS(listen(server, 1024));
	MUST(fcntl(server, F_SETFL, O_NONBLOCK));
	thread(dissolve, NULL);
	FOR_A_WHILE {
		int fd = MUST(socket(AF_INET, SOCK_STREAM, 0)); /* SO_REUSEADDR would keep it to the range's lower half */
		connect(fd, &a.any, sizeof a.in);
		listen_dissolved(fd);
		int port = port_of(fd);
		if (option(fd, SO_ACCEPTCONN) && port != ALLOWED && (port < 32768 || port > 46883))
			BROKEN("listens on port %d%s", port, reached(AF_INET, port) ? ", where a client reached it" : "");
		close(fd);
		close(accept(server, NULL, NULL));
	}
	_exit(0);
}
