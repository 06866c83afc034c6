/*
 * kind: attack
 * ports: 5000,32768-46883
 *
 * connect(2) picks a port that the policy permits, half of the time: 32768 to 46883 is
 * half of the kernel's default range. A thread dissolves the connection just before
 * listen(2), which then picks another port.
 *
 * Bare kernel: listens at a port that the policy does not permit.
 *
 * port-restricter: the supervisor looks at the local address again after listen(2),
 * and shuts the socket down if the policy does not permit the address. No client
 * reaches another port.
 */
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
		/* Not sock(): SO_REUSEADDR would keep the socket to the lower half of the range. */
		int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
		connect(fd, &a.any, sizeof a.in);
		listen_dissolved(fd);
		int port = port_of(fd);
		if (option(fd, SO_ACCEPTCONN) && port != ALLOWED && (port < 32768 || port > 46883))
			BROKEN("the socket listens at port %d%s", port,
			       reached(AF_INET, port) ? ", where a client reached it" : "");
		close(fd);
		close(accept(server, NULL, NULL));
	}
	_exit(0);
}
