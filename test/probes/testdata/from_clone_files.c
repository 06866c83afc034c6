/*
 * kind: attack
 *
 * A process made by clone(CLONE_FILES) binds. It shares the file table of its parent,
 * but not the parent's pid or memory.
 *
 * Bare kernel: it can bind the forbidden port.
 *
 * port-restricter: it can bind the allowed port, and is refused the forbidden one with
 * EPERM.
 */
#include "probe.h"

int main(void)
{
	pid_t pid = MUST(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
	if (pid == 0) {
		only_allowed();
		_exit(0);
	}
	join(pid);
}
