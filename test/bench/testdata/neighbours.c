/*
 * neighbours idle N: has N children that do nothing.
 * neighbours create N: creates N processes a second, each of which ends at once.
 *
 * It runs until it is killed.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int end(void *unused)
{
	(void)unused;
	return 0;
}

int main(int argc, char **argv)
{
	static char stack[16384] __attribute__((aligned(16)));
	if (argc != 3)
		return 2;
	int n = atoi(argv[2]);
	if (!strcmp(argv[1], "idle")) {
		for (int i = 0; i < n; i++)
			if (fork() == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				pause();
				_exit(0);
			}
		pause();
	}
	for (;;) {
		pid_t pid = clone(end, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, 0);
		waitpid(pid, 0, 0);
		usleep(1000000 / n);
	}
}
