// kind: attack
// A process of the same user, outside, has a socket at a port of its own.
#include "probe.h"

int main(void)
{
	const char *outsider = getenv("OUTSIDER");
	if (!outsider)
		SETUP("no OUTSIDER: the harness names a process there");
	int pidfd = syscall(SYS_pidfd_open, atoi(outsider), 0);
	if (pidfd < 0 && errno == ESRCH)
		return 0; /* not visible from here */
	MUST(pidfd);
	for (int fd = 3; fd < 16; fd++) {
		int taken = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
		int accepts = 0;
		socklen_t length = sizeof accepts;
		if (taken >= 0 && getsockopt(taken, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && accepts)
			no_harm(taken);
	}
	if (ptrace(PTRACE_SEIZE, atoi(outsider), 0, 0) == 0)
		BROKEN("a process outside can be traced, and made to bind");
}
