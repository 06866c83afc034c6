// kind: attack
// A vfork(2)ed child, whose parent waits.
#include "probe.h"

int main(void)
{
	/* As vfork(2), without its memory: what it does to a frame is no matter here. */
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
