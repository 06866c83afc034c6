/*
 * kind: attack
 *
 * 200 processes bind at the same time.
 *
 * Bare kernel: each can bind the forbidden port.
 *
 * port-restricter: each can bind the allowed port, and is refused the forbidden one
 * with EPERM.
 */
#include "probe.h"

enum { PROCESSES = 200 };

static void one(void)
{
	int on = 1;
	for (int i = 0; i < 3; i++) {
		int fd = sock(AF_INET, SOCK_STREAM, 0);
		MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
		WORKS(bind_port(fd, ALLOWED));
		WORKS(listen(fd, 1));
		close(fd);
		fd = sock(AF_INET, SOCK_DGRAM, 0);
		MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on));
		bind_forbidden(fd);
		close(fd);
	}
}

int main(void)
{
	pid_t all[PROCESSES];
	volatile int *go = shared(sizeof *go);
	for (int i = 0; i < PROCESSES; i++)
		if ((all[i] = child()) == 0) {
			while (!*go)
				usleep(1000);
			one();
			_exit(0);
		}
	*go = 1;
	for (int i = 0; i < PROCESSES; i++)
		join(all[i]);
}
