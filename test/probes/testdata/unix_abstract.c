// kind: behaviour
// Abstract names and the kernel's choice of one.
#include "probe.h"

static void check(void)
{
	int fd = sock(AF_UNIX, SOCK_STREAM, 0), client = sock(AF_UNIX, SOCK_STREAM, 0), other = sock(AF_UNIX, SOCK_STREAM, 0);
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
		WRONG("%s: the name chosen has %u bytes", company, got_length);
	WORKS(listen(chosen, 1));
	/* bind(2) of the same family alone binds once and is then satisfied. */
	WORKS(bind(chosen, &a.any, sizeof(sa_family_t)));
}

int main(void)
{
	ALONE_AND_IN_COMPANY(check());
}
