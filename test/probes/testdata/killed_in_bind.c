// kind: behaviour
// Processes killed anywhere in a bind: the others go on, and the port is free again.
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
		/* The supervisor may hold the dead one's socket for a moment. */
		double start = now();
		while (bind_port(fd, ALLOWED) < 0 || listen(fd, 1) < 0)
			if (errno != EADDRINUSE || now() > start + 2)
				WRONG("after the death of another: %m");
		close(fd);
	}
	_exit(0);
}
