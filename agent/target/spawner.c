#define _GNU_SOURCE
#include "spawner.h"
#include "helper.h"
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#if __GLIBC_PREREQ(2, 35)
#include <sys/rseq.h>
#endif
#include <unistd.h>

/*
 * To fork the supervisor, with Go's heap and its threads' stacks, takes longer than everything else
 * in the service of a call. So it is forked once. This process gives back nearly all of its memory,
 * and keeps a few helpers ready, each of which waits for a request. It reads no request itself, and
 * never has a file of a target: to close one may hang.
 *
 * It is forked and not executed, since a process that was just executed can be traced by every
 * process of its user.
 */

enum { REQUESTS, TAKEN, TAKE, CHILDREN };

enum { PAUSE_MS = 20, MOMENT_MS = 3 };

static struct sock_filter filter[FILTER_LIMIT];

/* Leaves no fd open but those above. */
static int take_fds(int requests)
{
	char by_default[64] = {0}; /* as in helper.c */
	int pipe[2];
	sigset_t children;
	struct rlimit limit;

	if (syscall(SYS_dup3, requests, REQUESTS, O_CLOEXEC) < 0 ||
	    syscall(SYS_pipe2, pipe, O_NONBLOCK | O_CLOEXEC) < 0 ||
	    syscall(SYS_dup3, pipe[0], TAKEN, O_CLOEXEC) < 0 ||
	    syscall(SYS_dup3, pipe[1], TAKE, O_CLOEXEC) < 0)
		return -1;
	if (syscall(SYS_close_range, CHILDREN, ~0U, 0) < 0) { /* before Linux 5.9 */
		syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
		for (unsigned fd = CHILDREN; fd < limit.rlim_cur && fd < 1 << 20; fd++)
			syscall(SYS_close, fd);
	}
	syscall(SYS_rt_sigaction, SIGCHLD, by_default, NULL, _NSIG / 8);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	int fd = syscall(SYS_signalfd4, -1, &children, _NSIG / 8, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd == CHILDREN ? 0 : -1;
}

static int restrict_self(uint64_t caps, unsigned short filter_length)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};
	struct sock_fprog program = {filter_length, filter};

	if (syscall(SYS_capget, &header, data) < 0)
		return -1;
	uint64_t had = data[0].permitted | (uint64_t)data[1].permitted << 32;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= caps >> 32 * i;
		data[i].effective = 0;
		data[i].inheritable = 0;
	}
	if (had && syscall(SYS_capset, &header, data) < 0)
		return -1;
	if (!filter_length)
		return 0;
	if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program);
}

/*
 * The kernel writes to the rseq(2) area of glibc after each fork, in both processes. So it is not
 * to know the area any more.
 */
static void leave_rseq(void)
{
#if __GLIBC_PREREQ(2, 35)
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	if (__rseq_size)
		syscall(SYS_rseq, area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
#endif
}

/* A sandbox may refuse. Then helpers are as they were. */
static void be_nice(int more)
{
	long niceness = 20 - syscall(SYS_getpriority, PRIO_PROCESS, 0);
	if (more && niceness >= -20 && niceness < 20)
		syscall(SYS_setpriority, PRIO_PROCESS, 0, niceness + more);
}

/* Starts a helper. Returns its pid, or a negative number. */
static pid_t start_helper(pid_t self)
{
#if defined(__s390x__)
	pid_t pid = syscall(SYS_clone, 0, SIGCHLD, 0, 0, 0);
#else
	pid_t pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
	if (pid == 0) {
		syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		syscall(SYS_close, TAKEN);
		syscall(SYS_close, CHILDREN);
		if (syscall(SYS_getppid) == self)
			helper_run(REQUESTS, TAKE);
		syscall(SYS_exit_group, 0);
	}
	return pid;
}

/* Takes a helper out of those that are ready. */
static int forget(pid_t ready[READY], pid_t pid)
{
	for (int i = 0; i < READY; i++)
		if (ready[i] == pid) {
			ready[i] = 0;
			return 1;
		}
	return 0;
}

/* Takes those out that say that they have taken a request. */
static void forget_taken(pid_t ready[READY])
{
	pid_t pid;
	while (syscall(SYS_read, TAKEN, &pid, sizeof pid) == sizeof pid)
		forget(ready, pid);
}

/* Fills the empty places. Returns 1 if that failed. */
static int fill(pid_t ready[READY], pid_t self)
{
	for (int i = 0; i < READY; i++)
		if (!ready[i] && (ready[i] = start_helper(self)) < 0) {
			ready[i] = 0;
			return 1;
		}
	return 0;
}

static int count(const pid_t ready[READY])
{
	int n = 0;
	for (int i = 0; i < READY; i++)
		n += ready[i] != 0;
	return n;
}

/*
 * Keeps helpers ready until the supervisor has ended. To fork takes longer than a call, and would
 * take a CPU from the helper that has just taken a request. So as long as another one is ready,
 * the next one is started a moment later.
 */
static void keep_ready(void)
{
	pid_t ready[READY] = {0}, pid, self = syscall(SYS_getpid);
	char signals[4 * 128]; /* of signalfd_siginfo */

	for (int failed = 0, quiet = 1;; ) {
		if (!failed && (quiet || !count(ready)))
			failed = fill(ready, self);
		struct pollfd fds[] = {{.fd = REQUESTS}, {TAKEN, POLLIN, 0}, {CHILDREN, POLLIN, 0}};
		/* The kernel changes them. */
		struct timespec pause = {.tv_nsec = PAUSE_MS * 1000 * 1000};
		struct timespec moment = {.tv_nsec = MOMENT_MS * 1000 * 1000};
		if (failed) { /* a pause that no event prolongs or ends */
			syscall(SYS_ppoll, NULL, 0, &pause, NULL, 0);
			moment.tv_nsec = 0;
		}
		int full = !failed && count(ready) == READY;
		quiet = syscall(SYS_ppoll, fds, 3, full ? NULL : &moment, NULL, 0) == 0;
		failed = 0;
		if (fds[0].revents)
			return; /* the supervisor has ended */
		forget_taken(ready);
		if (!(fds[2].revents & POLLIN))
			continue;
		while (syscall(SYS_read, CHILDREN, signals, sizeof signals) > 0)
			;
		while ((pid = syscall(SYS_wait4, -1, NULL, WNOHANG | __WALL, NULL)) > 0) {
			forget_taken(ready); /* it may have said so just before its end */
			failed |= forget(ready, pid); /* it was killed: no storm of helpers that end */
		}
	}
}

void spawner_run(void *spawner)
{
	struct spawner s = *(const struct spawner *)spawner;
	int error = 0;

	for (int i = 0; i < s.filter_length && i < FILTER_LIMIT; i++)
		filter[i] = s.filter[i];
	if (take_fds(s.requests) < 0) {
		error = errno;
		syscall(SYS_write, s.requests, &error, sizeof error);
		return;
	}
	error = -give_back_memory();
	leave_rseq();
	be_nice(s.nice);
	if (!error && s.filter_length > FILTER_LIMIT)
		error = E2BIG;
	else if (!error && restrict_self(s.caps, s.filter_length) < 0)
		error = errno;
	syscall(SYS_write, REQUESTS, &error, sizeof error);
	if (!error)
		keep_ready();
}
