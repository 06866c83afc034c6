/*
 * kind: attack
 * expect cli-root before 6.7: 1
 * expect podman: 0|1
 * expect podman-userns: 0|1
 *
 * The program attacks its parent process: it opens the parent's memory for writing,
 * takes the parent's fds with pidfd_getfd(2) (Linux 5.6), and traces the parent. Under
 * the command line the parent is the supervisor, which holds the notify fd and a
 * duplicate of each socket that it binds.
 *
 * Bare kernel: all of this is permitted if the parent has the same user.
 *
 * port-restricter: every attempt fails, because the supervisor is undumpable, and
 * because a process under Landlock may not trace processes outside of its domain. The
 * latter holds also for a command that root runs, and needs a kernel with Landlock
 * network rules (Linux 6.7). In a runc container the parent is not visible. In a
 * podman container the parent is a shell under the same filter: whatever the program
 * takes from that shell is not a port, so status 1 is right there as well.
 */
#include "probe.h"

int main(void)
{
	pid_t parent = getppid();
	if (parent == 0)
		return 0; /* the parent is outside of this pid namespace */
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/mem", parent);
	if (open(path, O_RDWR) >= 0)
		BROKEN("the memory of the parent, process %d, could be opened for writing", parent);
	int pidfd = MUST(syscall(SYS_pidfd_open, parent, 0));
	for (int fd = 0; fd < 64; fd++)
		if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
			BROKEN("took fd %d of the parent, process %d", fd, parent);
	if (ptrace(PTRACE_SEIZE, parent, 0, 0) == 0)
		BROKEN("the parent, process %d, could be traced", parent);
}
