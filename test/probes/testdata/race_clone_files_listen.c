/*
 * kind: attack
 *
 * The attack swaps the socket behind an fd while listen(2) is in progress: see
 * swap_sockets in probe.h. The swapper is a process made by clone(CLONE_FILES), which
 * shares the file table with the caller and nothing else.
 *
 * Bare kernel: the internet socket listens at a port of the kernel's choice.
 *
 * port-restricter: the supervisor acts on its duplicate of the socket that it has
 * checked. It lets the kernel run a call itself only if it is proved that no other
 * task shares the file table.
 */
#include "probe.h"

int main(void)
{
	struct swap sockets = swap_sockets(SOCK_STREAM);
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
