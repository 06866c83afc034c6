/*
 * kind: attack
 * ports: [::]:5000
 *
 * A socket of IPv6 at the unspecified address serves IPv4 as well, unless IPV6_V6ONLY is
 * set. The policy permits IPv6 only. A thread switches the option back and forth around
 * the bind(2).
 *
 * Bare kernel: a client reaches the port over IPv4.
 *
 * port-restricter: such a socket asks for both families, and is refused. With the option
 * set it is bound, and serves IPv6 only.
 */
#include "probe.h"

static volatile int switching = -1;

static void *switch_v6only(void *arg)
{
	for (int value = 0;; value = !value)
		if (switching >= 0)
			setsockopt(switching, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof value);
	return arg;
}

static int bind_all(int fd)
{
	union addr a = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(ALLOWED)}};
	return bind(fd, &a.any, sizeof a.in6);
}

/* Reports whether a datagram that is sent over IPv4 arrives. */
static int receives(int fd)
{
	int client = sock(AF_INET, SOCK_DGRAM, 0);
	union addr a = loopback(AF_INET, ALLOWED);
	MUST(sendto(client, "x", 1, 0, &a.any, sizeof a.in));
	struct pollfd ready = {fd, POLLIN, 0};
	close(client);
	return poll(&ready, 1, 5) == 1 && ready.revents & POLLIN;
}

int main(void)
{
	int on = 1, off = 0, fd = sock(AF_INET6, SOCK_STREAM, 0);
	MUST(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
	WORKS(bind_all(fd));
	WORKS(listen(fd, 1));
	if (!reached(AF_INET6, ALLOWED))
		WRONG("no client reaches the port over IPv6");
	if (reached(AF_INET, ALLOWED))
		WRONG("a client reaches the port over IPv4 in spite of IPV6_V6ONLY");
	close(fd);

	fd = sock(AF_INET6, SOCK_STREAM, 0);
	MUST(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off));
	if (bind_all(fd) == 0 && listen(fd, 1) == 0 && reached(AF_INET, ALLOWED))
		BROKEN("a client reaches the port over IPv4");
	close(fd);

	thread(switch_v6only, NULL);
	FOR_A_WHILE {
		fd = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
		switching = fd;
		int bound = bind_all(fd);
		if (bound == 0 && receives(fd))
			BROKEN("a datagram arrived over IPv4");
		switching = -1;
		usleep(100); /* until the thread leaves the fd */
		close(fd);
	}
	_exit(0);
}
