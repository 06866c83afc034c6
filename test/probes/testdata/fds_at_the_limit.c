/*
 * kind: behaviour
 *
 * A process that has no free fd left, because it is at RLIMIT_NOFILE, binds and
 * listens on sockets that it has.
 *
 * Bare kernel and port-restricter: everything works. The supervisor needs no fd in the
 * target.
 */
#include "probe.h"

#include <sys/resource.h>

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0), unix_fd = sock(AF_UNIX, SOCK_STREAM, 0);
	struct rlimit few = {64, 64};
	MUST(setrlimit(RLIMIT_NOFILE, &few));
	while (dup(0) >= 0)
		;
	WORKS(bind_port(fd, ALLOWED));
	WORKS(bind_unix(unix_fd, "socket-at-the-limit"));
	thread(idle, NULL);
	WORKS(listen(fd, 1));
	WORKS(listen(unix_fd, 1));
}
