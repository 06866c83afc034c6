// kind: attack
// The same swap by a process that shares the fd table and nothing else.
#include "probe.h"

int main(void)
{
	struct swap sockets = swap_sockets();
	pid_t parent = getpid();
	if (MUST(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0)) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			swap_once(&sockets);
		_exit(0);
	}
	listen_swapped(&sockets);
	_exit(0);
}
