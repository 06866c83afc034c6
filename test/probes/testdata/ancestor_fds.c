// kind: attack
// expect podman: 0|1 its parent there is a shell of the same container
// expect podman-userns: 0|1
// The supervisor has the notify fd, and a copy of each socket it binds.
#include "probe.h"

int main(void)
{
	pid_t parent = getppid();
	if (parent == 0)
		return 0; /* not visible from here */
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/mem", parent);
	if (open(path, O_RDWR) >= 0)
		BROKEN("the supervisor's memory can be written");
	int pidfd = MUST(syscall(SYS_pidfd_open, parent, 0));
	for (int fd = 0; fd < 64; fd++)
		if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
			BROKEN("took fd %d of the supervisor", fd);
	if (ptrace(PTRACE_SEIZE, parent, 0, 0) == 0)
		BROKEN("the supervisor can be traced");
}
