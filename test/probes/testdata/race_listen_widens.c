/*
 * kind: attack
 * ports: 5000,127.0.0.1:40000
 *
 * connect(2) picks port 40000, which the policy permits at 127.0.0.1 only. A thread
 * dissolves the connection just before listen(2), which then picks the same port at
 * every address. It picks the same one because this network namespace has no other
 * port to choose. Elsewhere a program can get the same effect by taking all other
 * ports.
 *
 * Bare kernel: listens at 0.0.0.0:40000.
 *
 * port-restricter: the supervisor looks at the local address again after listen(2),
 * and shuts the socket down if the policy does not permit the address.
 */
#include "probe.h"

int main(void)
{
	enter_net_namespace();
	int range = open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY);
	if (range < 0)
		NOT_APPLICABLE("ip_local_port_range: %m");
	MUST(write(range, "40000 40000", 11));

	int server = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, ALLOWED);
	WORKS(bind_port(server, ALLOWED));
	WORKS(listen(server, 1024));
	MUST(fcntl(server, F_SETFL, O_NONBLOCK));
	struct linger reset = {.l_onoff = 1};
	thread(dissolve, NULL);
	FOR_A_WHILE {
		int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
		/* The close resets the connection, which leaves the port free again. */
		MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset));
		connect(fd, &a.any, sizeof a.in);
		listen_dissolved(fd);
		union addr at;
		socklen_t length = sizeof at;
		MUST(getsockname(fd, &at.any, &length));
		if (option(fd, SO_ACCEPTCONN) && at.in.sin_addr.s_addr == INADDR_ANY)
			BROKEN("the socket listens at 0.0.0.0:%d", ntohs(at.in.sin_port));
		close(fd);
		close(accept(server, NULL, NULL));
	}
	_exit(0);
}
