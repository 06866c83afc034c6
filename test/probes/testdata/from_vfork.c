/*
 * kind: attack
 *
 * A child made by vfork(2) binds, while its parent waits for it.
 *
 * Bare kernel: it can bind the forbidden port.
 *
 * port-restricter: it can bind the allowed port, and is refused the forbidden one with
 * EPERM.
 */
#include "probe.h"

int main(void)
{
	/*
	 * The parent waits as in vfork(2), but the child has a copy of the memory. So it may
	 * return from functions without damage to the parent's stack.
	 */
	pid_t pid = MUST(syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
	if (pid == 0) {
		only_allowed();
		_exit(0);
	}
	join(pid);
	pid = MUST(vfork());
	if (pid == 0) {
		only_allowed();
		_exit(0);
	}
	join(pid);
}
