/*
 * kind: attack
 *
 * The attack swaps the socket behind an fd while listen(2) is in progress: see
 * swap_sockets in probe.h. The swapper shares the file table with the caller, and hops
 * from process to process, ahead of a supervisor that looks for it.
 *
 * Bare kernel: the internet socket listens at a port of the kernel's choice.
 *
 * port-restricter: what a scan finds of a process counts only if no task was created
 * meanwhile, so the swapper cannot hide and the internet socket never listens.
 */
#include "probe.h"

static double end;

/* Swaps for a while, hands over to a new process, and is gone. */
static void hop(const struct swap *s)
{
	while (now() < end) {
		for (int i = rand() % 400; i > 0; i--)
			swap_once(s);
		if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0) > 0)
			_exit(0);
	}
	_exit(0);
}

int main(void)
{
	struct swap sockets = swap_sockets();
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	signal(SIGCHLD, SIG_IGN);
	end = now() + 2.5;
	if (MUST(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0)) == 0)
		hop(&sockets);
	listen_swapped(&sockets);
	_exit(0);
}
