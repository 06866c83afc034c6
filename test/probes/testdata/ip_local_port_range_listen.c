// kind: attack
// The same by listen(2), and by connect(2), disconnect and listen(2).
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
		BROKEN("connect bound to port 41002");
	MUST(connect(fd, &none.any, sizeof a.in));
	if (listen(fd, 1) == 0)
		no_harm(fd);
}
