// kind: attack
// A process that shares the fd table.
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
