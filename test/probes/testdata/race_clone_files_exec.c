/*
 * kind: attack
 *
 * The attack swaps the socket behind an fd while bind(2) is in progress: see
 * swap_sockets in probe.h. The swapper is a process made by clone(CLONE_FILES), which
 * is in an execve(2) that fails for most of the time. Before Linux 5.11 it has a file
 * table of its own in there, and shares the caller's again once the execve has failed.
 * Newer kernels take it out of the shared table only when execve can't fail any more.
 *
 * Bare kernel: the internet socket is bound to the forbidden port.
 *
 * port-restricter: before Linux 5.12 nothing proves that no other task shares the file
 * table, so the supervisor lets the kernel run no call itself. On newer kernels the
 * swapper is found to share it, in an execve or not.
 */
#include "probe.h"

/* Takes up to a millisecond or so, in the walk of a path whose end is missing. */
static void fail_to_exec(void)
{
	static char path[4000];
	int length = rand() % (int)sizeof path / 16 * 16;
	for (int i = 0; i < length; i += 16)
		memcpy(path + i, "/proc/./../../..", 16);
	strcpy(path + length, "/missing");
	char *args[] = {path, NULL};
	FAILS(execv(path, args), ENOENT);
}

int main(void)
{
	struct swap sockets = swap_sockets(SOCK_DGRAM);
	pid_t parent = getpid();
	if (MUST(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0)) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent) {
			fail_to_exec();
			for (int i = rand() % 20; i >= 0; i--)
				swap_once(&sockets);
		}
		_exit(0);
	}
	bind_swapped(&sockets);
	_exit(0);
}
