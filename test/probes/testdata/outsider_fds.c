/*
 * kind: attack
 * expect cli-root before 6.7: 1
 * expect cli-user before 6.7: 0|1
 *
 * A process of the same user, outside of port-restricter, has a listening socket at a
 * port that the policy does not permit. The attack takes that socket with
 * pidfd_getfd(2) (Linux 5.6), or traces the process, which can then be made to bind.
 * The environment variable OUTSIDER has the id of the process.
 *
 * Bare kernel: both work.
 *
 * port-restricter: under the command line both are refused, because a process under
 * Landlock may not trace processes outside of its domain. This needs a kernel with
 * Landlock network rules (Linux 6.7); without, Yama forbids both to an ordinary user if
 * the sysctl kernel.yama.ptrace_scope is not 0. In a container the process is not visible.
 */
#include "probe.h"

int main(void)
{
	const char *outsider = getenv("OUTSIDER");
	if (!outsider)
		SETUP("the environment variable OUTSIDER is not set; the test must set it to a pid");
	int pidfd = syscall(SYS_pidfd_open, atoi(outsider), 0);
	if (pidfd < 0 && errno == ESRCH)
		return 0; /* the process is outside of this pid namespace */
	MUST(pidfd);
	for (int fd = 3; fd < 16; fd++) {
		int taken = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		int accepts = 0;
		socklen_t length = sizeof accepts;
		if (taken >= 0 &&
		    getsockopt(taken, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && accepts)
			no_harm(taken);
	}
	if (ptrace(PTRACE_SEIZE, atoi(outsider), 0, 0) == 0)
		BROKEN("process %s, which is not restricted, could be traced, and so made to bind",
		       outsider);
}
