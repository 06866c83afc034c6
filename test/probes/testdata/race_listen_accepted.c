/*
 * kind: attack
 *
 * A socket that accept(2) returned has the permitted port of its listener, without
 * holding it. Between the supervisor's look at the port and its listen(2), another
 * thread dissolves the connection, and listen(2) picks a port at every address. A client
 * that connects before the supervisor looks again is served for as long as it likes.
 *
 * Bare kernel: a stranger is served at a port that the policy does not permit.
 *
 * port-restricter: a socket that was not bound to its port by bind(2) has no port of its
 * own choice, so listen(2) fails with EPERM before it does anything.
 */
#include "probe.h"

static volatile int reaching;

/* Connects to every port at which the attacker listens, and writes a byte. */
static void *stranger(void *arg)
{
	for (;;) {
		int port = reaching;
		if (port && port != ALLOWED) {
			int fd = socket(AF_INET, SOCK_STREAM, 0);
			union addr a = loopback(AF_INET, port);
			if (connect(fd, &a.any, sizeof a.in) == 0)
				(void)!write(fd, "x", 1);
			usleep(1000);
			close(fd);
		}
	}
	return arg;
}

/* Accepts connections at whatever port the socket listens, while it listens. */
static void *serve(void *arg)
{
	int fd = *(int *)arg, port = 0;
	char byte;
	for (double end = now() + 0.02; now() < end;) {
		if ((port = port_of(fd)) == ALLOWED)
			continue;
		reaching = port;
		int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
		if (client < 0)
			continue;
		struct pollfd ready = {client, POLLIN, 0};
		if (poll(&ready, 1, 100) == 1 && read(client, &byte, 1) == 1)
			BROKEN("a stranger was served at port %d", port);
		close(client);
	}
	return NULL;
}

int main(void)
{
	int server = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, ALLOWED);
	WORKS(bind_port(server, ALLOWED));
	WORKS(listen(server, 1024));
	thread(dissolve, NULL);
	thread(stranger, NULL);
	FOR_A_WHILE {
		int client = MUST(socket(AF_INET, SOCK_STREAM, 0));
		MUST(connect(client, &a.any, sizeof a.in));
		int fd = MUST(accept(server, NULL, NULL));
		MUST(fcntl(fd, F_SETFL, O_NONBLOCK));
		pthread_t accepting = thread(serve, &fd);
		listen_dissolved(fd);
		pthread_join(accepting, NULL);
		reaching = 0;
		close(fd);
		close(client);
	}
	_exit(0);
}
