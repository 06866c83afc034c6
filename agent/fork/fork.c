#define _GNU_SOURCE
#include "fork.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000 /* older versions of glibc lack it */
#endif

struct task {
	void (*run)(void *);
	void *argument;
};

static int run_and_exit(void *task)
{
	struct task *t = task;
	t->run(t->argument);
	syscall(SYS_exit_group, 0);
	return 0;
}

pid_t fork_and_run(int flags, void (*run)(void *), void *argument, int *pidfd)
{
	char stack[64 << 10] __attribute__((aligned(16))); /* of the child */
	struct task task = {run, argument};
	sigset_t all, before;

	/* No signal handler of this process may run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = clone(run_and_exit, stack + sizeof stack, flags | CLONE_PIDFD, &task, pidfd);
	int error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -error : pid;
}
