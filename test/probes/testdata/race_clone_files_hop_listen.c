// kind: attack
// The sharer of the fd table hops from process to process, ahead of whoever looks for it.
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
