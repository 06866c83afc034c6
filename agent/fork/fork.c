#define _GNU_SOURCE
#include "fork.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t fork_and_run(unsigned long flags, void (*run)(void *), void *argument, int *pidfd)
{
	sigset_t all, before;

	/* No signal handler of this process may run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
#if defined(__s390x__)
	pid_t pid = syscall(SYS_clone, 0, flags | CLONE_PIDFD, pidfd, 0, 0);
#else
	pid_t pid = syscall(SYS_clone, flags | CLONE_PIDFD, 0, pidfd, 0, 0);
#endif
	if (pid == 0) {
		run(argument);
		syscall(SYS_exit_group, 0);
	}
	int error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -error : pid;
}
