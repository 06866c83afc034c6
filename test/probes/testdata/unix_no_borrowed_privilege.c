/*
 * kind: behaviour
 *
 * A process without capabilities binds an AF_UNIX socket to a path in a directory that
 * it may not write to.
 *
 * Bare kernel and port-restricter: EACCES, whatever the supervisor may do.
 */
#include "probe.h"

static void check(void)
{
	keep_caps(0);
	FAILS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), "read-only-directory/socket"), EACCES);
}

int main(void)
{
	MUST(mkdir("read-only-directory", 0555));
	WITH_ONE_AND_TWO_THREADS(check());
}
