/*
 * kind: behaviour
 *
 * AF_UNIX sockets of each type bind to a path relative to the working directory, and a
 * client connects.
 *
 * Bare kernel and port-restricter: the file is made in the caller's working directory,
 * clients can connect, and getsockname(2) returns the path as it was given.
 */
#include "probe.h"

static void check(void)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	MUST(mkdir("deep-directory", 0755));
	MUST(chdir("deep-directory"));
	for (int i = 0; i < 3; i++) {
		int fd = sock(AF_UNIX, types[i], 0), client = sock(AF_UNIX, types[i], 0);
		union addr a, got = {0};
		socklen_t length = unix_addr(&a, "socket-in-cwd"), got_length = sizeof got;
		WORKS(bind(fd, &a.any, length));
		WORKS(access("../deep-directory/socket-in-cwd", F_OK));
		WORKS(getsockname(fd, &got.any, &got_length));
		if (got_length != length || memcmp(&got, &a, length))
			WRONG("%s: getsockname returned %u bytes: %s", situation, got_length, got.un.sun_path);
		if (types[i] != SOCK_DGRAM)
			WORKS(listen(fd, 1));
		WORKS(connect(client, &a.any, length));
		MUST(unlink("socket-in-cwd"));
		close(fd);
		close(client);
	}
	MUST(chdir(".."));
	MUST(rmdir("deep-directory"));
}

int main(void)
{
	WITH_ONE_AND_TWO_THREADS(check());
}
