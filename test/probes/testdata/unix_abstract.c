/*
 * kind: behaviour
 *
 * AF_UNIX sockets with abstract names: a name that the program chooses, and one that
 * the kernel chooses (autobind, a bind(2) with the address family only).
 *
 * Bare kernel and port-restricter: both work, and a name in use is refused with
 * EADDRINUSE.
 */
#include "probe.h"

static void check(void)
{
	int fd = sock(AF_UNIX, SOCK_STREAM, 0), client = sock(AF_UNIX, SOCK_STREAM, 0);
	int other = sock(AF_UNIX, SOCK_STREAM, 0);
	union addr a = {.un = {AF_UNIX, "\0port-restricter-probe"}};
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + 22;
	WORKS(bind(fd, &a.any, length));
	FAILS(bind(other, &a.any, length), EADDRINUSE);
	WORKS(listen(fd, 1));
	WORKS(connect(client, &a.any, length));
	WORKS(accept(fd, NULL, NULL));

	int chosen = sock(AF_UNIX, SOCK_STREAM, 0);
	WORKS(bind(chosen, &a.any, sizeof(sa_family_t)));
	union addr got = {0};
	socklen_t got_length = sizeof got;
	WORKS(getsockname(chosen, &got.any, &got_length));
	if (got_length != 8)
		WRONG("%s: the address with the name that the kernel chose has %u bytes, not 8",
		      situation, got_length);
	WORKS(listen(chosen, 1));
	/* To repeat a bind(2) with the family only succeeds, and changes nothing. */
	WORKS(bind(chosen, &a.any, sizeof(sa_family_t)));
}

int main(void)
{
	WITH_ONE_AND_TWO_THREADS(check());
}
