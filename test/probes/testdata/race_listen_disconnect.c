// kind: attack
// ports: 5000,32768-46883
// connect(2) picks a port that is allowed, half of the time; a thread dissolves
// it just before listen(2), which then picks another.
#include "probe.h"

static volatile int fd, armed;

static void *disconnect(void *arg)
{
	union addr none = {.any.sa_family = AF_UNSPEC};
	for (;;) {
		while (!armed)
			;
		for (volatile int wait = rand() % 40000; wait > 0; wait--)
			;
		connect(fd, &none.any, sizeof none.in);
		armed = 0;
	}
	return arg;
}

int main(void)
{
	int server = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, ALLOWED);
	WORKS(bind_port(server, ALLOWED));
	WORKS(listen(server, 1024));
	MUST(fcntl(server, F_SETFL, O_NONBLOCK));
	thread(disconnect, NULL);
	FOR_A_WHILE {
		fd = MUST(socket(AF_INET, SOCK_STREAM, 0)); /* SO_REUSEADDR would keep it to the range's lower half */
		connect(fd, &a.any, sizeof a.in);
		armed = 1;
		while (listen(fd, 1) < 0 && armed)
			;
		while (armed)
			;
		int port = port_of(fd);
		if (option(fd, SO_ACCEPTCONN) && port != ALLOWED && (port < 32768 || port > 46883))
			BROKEN("listens on port %d%s", port, reached(AF_INET, port) ? ", where a client reached it" : "");
		close(fd);
		close(accept(server, NULL, NULL));
	}
	_exit(0);
}
