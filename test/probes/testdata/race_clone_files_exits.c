/*
 * kind: attack
 *
 * The attack swaps the socket behind an fd while bind(2) or listen(2) is in progress: see
 * swap_sockets in probe.h. The swapper shares the file table with the caller, swaps once,
 * and ends before a supervisor looks for it.
 *
 * Bare kernel: the internet socket is bound to the forbidden port, or listens at a port of
 * the kernel's choice.
 *
 * port-restricter: once it is proved that no other task shares the file table, the fd must
 * still be the socket that was inspected. Otherwise a helper makes the call, on that socket.
 */
#include "probe.h"

/* Swaps once, after as long as an inspection may take, and ends. */
static void swap_in_a_process(const struct swap *s, volatile int *runs)
{
	*runs = 0;
	int wait = rand() % (1 << rand() % 19);
	if (MUST(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0)) == 0) {
		*runs = 1;
		for (volatile int i = wait; i > 0; i--)
			;
		dup2(s->inet_fd, SWAPPED);
		_exit(0);
	}
	while (!*runs)
		;
}

int main(void)
{
	/* Landlock, the command line's second lock, refuses a bind of TCP, but no listen. */
	struct swap listens = swap_sockets();
	struct swap binds = {sock(AF_UNIX, SOCK_DGRAM, 0), sock(AF_INET, SOCK_DGRAM, 0)};
	volatile int *runs = shared(sizeof *runs);
	union addr a = loopback(AF_INET, FORBIDDEN);
	signal(SIGCHLD, SIG_IGN);
	FOR_A_WHILE {
		MUST(dup2(binds.unix_fd, SWAPPED));
		swap_in_a_process(&binds, runs);
		bind(SWAPPED, &a.any, sizeof a.in);
		no_harm(binds.inet_fd);
		MUST(dup2(listens.unix_fd, SWAPPED));
		swap_in_a_process(&listens, runs);
		listen(SWAPPED, 1);
		no_harm(listens.inet_fd);
	}
	_exit(0);
}
