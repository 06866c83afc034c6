/*
 * kind: attack
 * expect cli-root before 6.9: 3
 * expect cli-user before 6.9: 3
 * expect runc before 6.9: 3
 *
 * A thread binds that has a file table of its own, in which fd numbers mean other
 * files than in the tables of the other threads.
 *
 * Bare kernel: the socket in the thread's own table is bound, and the forbidden port
 * can be bound.
 *
 * port-restricter: the same socket is bound, and not the other thread's socket of the
 * same number. The forbidden port is refused with EPERM. The supervisor needs
 * PIDFD_THREAD (Linux 6.9) for the thread's table.
 */
#include "probe.h"

static void *run(void *arg)
{
	int number = *(int *)arg;
	MUST(unshare(CLONE_FILES));
	close(number);
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	MUST(dup2(fd, number));
	WORKS(bind_port(number, ALLOWED));
	if (port_of(number) != ALLOWED)
		WRONG("the thread's socket is bound to port %d, not to the allowed one", port_of(number));
	close(number);
	close(fd);
	only_allowed();
	return NULL;
}

int main(void)
{
	int number = sock(AF_INET, SOCK_STREAM, 0);
	pthread_join(thread(run, &number), NULL);
	if (port_of(number))
		WRONG("the main thread's socket of the same number was bound, to port %d", port_of(number));
}
