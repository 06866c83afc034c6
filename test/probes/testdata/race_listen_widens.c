// kind: attack
// ports: 5000,127.0.0.1:40000
// connect(2) picks the port that is allowed at one address; a thread dissolves
// it just before listen(2), which picks the same port at every address: in a
// network namespace that has no other. Elsewhere all others can be taken.
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
		MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset)); /* leaves the port free again */
		connect(fd, &a.any, sizeof a.in);
		listen_dissolved(fd);
		union addr at;
		socklen_t length = sizeof at;
		MUST(getsockname(fd, &at.any, &length));
		if (option(fd, SO_ACCEPTCONN) && at.in.sin_addr.s_addr == INADDR_ANY)
			BROKEN("listens on 0.0.0.0:%d", ntohs(at.in.sin_port));
		close(fd);
		close(accept(server, NULL, NULL));
	}
	_exit(0);
}
