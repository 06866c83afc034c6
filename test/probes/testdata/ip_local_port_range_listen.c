/*
 * kind: attack
 *
 * IP_LOCAL_PORT_RANGE (Linux 6.3) with a range of a single port makes the kernel's
 * choice of a port the program's. Two ways to use it on a TCP socket: listen(2) while
 * unbound; and connect(2), disconnect, listen(2).
 *
 * Bare kernel: binds and listens at the port of the range.
 *
 * port-restricter: the filter refuses the option, and the supervisor refuses the
 * listen(2).
 */
#include "probe.h"

int main(void)
{
	uint32_t range = RANGE(41002, 41002);
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range);
	if (listen(fd, 1) == 0)
		no_harm(fd);
	int server = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, ALLOWED), none = {.any.sa_family = AF_UNSPEC};
	WORKS(bind_port(server, ALLOWED));
	WORKS(listen(server, 1));
	fd = sock(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range);
	MUST(connect(fd, &a.any, sizeof a.in));
	if (port_of(fd) == 41002)
		BROKEN("connect bound the socket to port 41002");
	MUST(connect(fd, &none.any, sizeof a.in));
	if (listen(fd, 1) == 0)
		no_harm(fd);
}
