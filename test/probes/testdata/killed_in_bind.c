/*
 * kind: behaviour
 *
 * Processes are killed at any point of a bind(2) or listen(2).
 *
 * Bare kernel and port-restricter: other processes go on, and the port of the dead
 * process is free again. Under port-restricter it can take a moment, since the
 * supervisor may still hold a duplicate of the dead process's socket.
 */
#include "probe.h"

static void bind_again_and_again(void)
{
	for (;;) {
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		if (bind_port(fd, ALLOWED) == 0)
			listen(fd, 1);
		close(fd);
	}
}

int main(void)
{
	FOR_A_WHILE {
		pid_t pid = child();
		if (pid == 0)
			bind_again_and_again();
		usleep(rand() % 2000);
		kill(pid, SIGKILL);
		status_of(pid);
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		/* The supervisor may hold a duplicate of the dead process's socket for a moment. */
		double start = now();
		while (bind_port(fd, ALLOWED) < 0 || listen(fd, 1) < 0)
			if (errno != EADDRINUSE || now() > start + at_most(2))
				WRONG("bind or listen after another process was killed: %m");
		close(fd);
	}
	_exit(0);
}
