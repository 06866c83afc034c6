/*
 * kind: attack
 * ports: 5000,32768-46883
 *
 * As race_listen_disconnect, but bind(2) to port 0 makes the kernel pick the port, which the
 * policy permits half of the time.
 *
 * Bare kernel: listens at a port that the policy does not permit.
 *
 * port-restricter: a port that the kernel picked counts as port 0, whatever it is at the moment.
 */
#include "probe.h"

int main(void)
{
	thread(dissolve, NULL);
	FOR_A_WHILE {
		/* Not sock(): SO_REUSEADDR would keep the socket to the lower half of the range. */
		int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
		WORKS(bind_port(fd, 0));
		listen_dissolved(fd);
		int port = port_of(fd);
		if (option(fd, SO_ACCEPTCONN) && (port < 32768 || port > 46883))
			BROKEN("the socket listens at port %d%s", port,
			       reached(AF_INET, port) ? ", where a client reached it" : "");
		close(fd);
	}
	_exit(0);
}
