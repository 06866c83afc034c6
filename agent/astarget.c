#define _GNU_SOURCE
#include "astarget.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/*
 * The helper is a fork of a process with many threads: until it ends it may use
 * raw system calls only, no lock, no allocation. glibc's set*id wrappers would
 * signal threads that aren't there.
 */

static int set_caps(uint64_t permitted, uint64_t effective)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {
		{effective, permitted, 0},
		{effective >> 32, permitted >> 32, 0},
	};
	return syscall(SYS_capset, &header, data);
}

static uint64_t permitted_caps(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};
	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

static void raise_permitted(void)
{
	uint64_t permitted = permitted_caps();
	set_caps(permitted, permitted);
}

/*
 * As the target's user the helper could be traced by the target, and it holds
 * a copy of our memory. Every change of credentials resets both settings.
 */
static void guard(void)
{
	syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static int take_ids(const struct as_target *t)
{
	/* The capabilities outlive the change of ids until they are set below. */
	syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (syscall(SYS_setgroups, t->ngroups, t->groups) < 0 ||
	    syscall(SYS_setresgid, t->rgid, t->egid, t->sgid) < 0 ||
	    syscall(SYS_setresuid, t->ruid, t->euid, t->suid) < 0)
		return -1;
	syscall(SYS_setfsgid, t->fsgid);
	syscall(SYS_setfsuid, t->fsuid);
	raise_permitted();
	return 0;
}

/*
 * Who enters a user namespace needs CAP_SYS_ADMIN in it. Its owner has that if he
 * stands in its parent, and inside it everybody begins with every capability,
 * over the namespaces within, too: user_namespaces(7). So nobody needs
 * CAP_SYS_ADMIN out here.
 */
static int enter_as_owner(const struct as_target *t)
{
	uid_t real, owner, euid;

	/* Inside, ids have other numbers: the saved uid takes the effective one along. */
	if (t->fsuid != t->euid) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (syscall(SYS_setresuid, -1, t->owner, t->euid) < 0)
		return -1;
	guard();
	if (syscall(SYS_setns, t->outer, CLONE_NEWUSER) < 0)
		return -1;
	guard();
	syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
	syscall(SYS_getresuid, &real, &owner, &euid);
	/*
	 * An id that the namespace has no number for looks like nobody's. Without
	 * the capability the kernel takes the number for the saved uid only if it is.
	 */
	set_caps(permitted_caps(), permitted_caps() & ~(1ULL << CAP_SETUID));
	if (syscall(SYS_setresuid, -1, euid, -1) < 0)
		return -1;
	raise_permitted();
	return 0;
}

static int enter_userns(const struct as_target *t)
{
	if (t->userns < 0 || syscall(SYS_setns, t->userns, CLONE_NEWUSER) == 0)
		return 0;
	if (errno != EPERM || enter_as_owner(t) < 0)
		return -1;
	return t->userns == t->outer ? 0 : syscall(SYS_setns, t->userns, CLONE_NEWUSER);
}

static int take_root(const struct as_target *t)
{
	if (t->root < 0)
		return 0;
	if (syscall(SYS_fchdir, t->root) < 0)
		return -1;
	return syscall(SYS_chroot, ".");
}

/*
 * Our file table may hold files of other containers. A copy of them would keep
 * their sockets bound for as long as this call hangs, and to close a copy may
 * itself hang (FUSE asks its server at each close, and gets no answer if the
 * server so likes). No lock keeps them out of a copy: a target can make whoever
 * looks at its socket wait, and all containers would wait for such a lock.
 *
 * So where we may, the helper begins with our own table, leaves it for an empty
 * one, and fetches what it needs. What the kernel copies all the same is the
 * first word of the table: reserveLowFDs.
 */
static int leave_table(struct as_target *t, pid_t agent)
{
	int *wanted[] = {&t->sock, &t->userns, &t->outer, &t->root, &t->cwd, &t->pipe}, one_namespace = t->userns == t->outer;
	if (syscall(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		return -1;
	int pidfd = syscall(SYS_pidfd_open, agent, 0);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		if (*wanted[i] >= 0 && (*wanted[i] = syscall(SYS_pidfd_getfd, pidfd, *wanted[i], 0)) < 0)
			return -1;
	if (one_namespace)
		t->outer = t->userns;
	return syscall(SYS_close, pidfd);
}

/* Without privilege, by which all containers are one user's. */
static void close_others(const struct as_target *t)
{
	int keep[] = {t->sock, t->userns, t->outer, t->root, t->cwd, t->pipe};
	int n = sizeof keep / sizeof *keep;
	for (int from = 0;;) {
		int next = -1;
		for (int i = 0; i < n; i++)
			if (keep[i] >= from && (next < 0 || keep[i] < next))
				next = keep[i];
		if (next < 0) {
			syscall(SYS_close_range, from, ~0U, 0);
			return;
		}
		if (next > from)
			syscall(SYS_close_range, from, next - 1, 0);
		from = next + 1;
	}
}

/*
 * Nobody else could: a helper that has the target's ids is not ours to kill
 * without CAP_KILL. The default action of the alarm ends a call that only
 * SIGKILL would, unless the file system does not even let go for that.
 */
static void limit_time(void)
{
	static const char by_default[64]; /* a struct kernel_sigaction: SIG_DFL is 0 */
	struct itimerval limit = {.it_value.tv_sec = ACT_SECONDS};
	sigset_t alarm_only;

	syscall(SYS_rt_sigaction, SIGALRM, by_default, NULL, _NSIG / 8);
	syscall(SYS_setitimer, ITIMER_REAL, &limit, NULL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &alarm_only, NULL, _NSIG / 8);
}

static void act(const struct as_target *t, struct as_target_result *r)
{
	r->stage = STAGE_IDS;
	if (t->ids && take_ids(t) < 0)
		goto failed;
	guard();

	/*
	 * chroot(2) needs CAP_SYS_CHROOT: here as root, else only once the
	 * target's user namespace is entered, in which its owner has it.
	 */
	int rooted = take_root(t) == 0;
	r->stage = STAGE_USERNS;
	if (enter_userns(t) < 0)
		goto failed;
	r->stage = STAGE_ROOT;
	if (!rooted && take_root(t) < 0)
		goto failed;
	r->stage = STAGE_CWD;
	if (syscall(SYS_fchdir, t->cwd) < 0)
		goto failed;
	syscall(SYS_umask, t->umask);

	r->stage = STAGE_CAPS;
	uint64_t caps = t->caps & permitted_caps();
	if (set_caps(caps, caps) < 0)
		goto failed;
	guard();

	r->stage = STAGE_CALL;
	long result;
	switch (t->call) {
	case ACT_BIND:
		result = bind(t->sock, (const struct sockaddr *)t->data, t->len);
		break;
	case ACT_LISTEN:
		result = listen(t->sock, t->backlog);
		break;
	default:
		result = setsockopt(t->sock, t->level, t->option, t->data, t->len);
	}
	if (result == 0) {
		r->error = 0;
		return;
	}
failed:
	r->error = errno;
}

/* Linux 5.9. The range is no range, so nothing is closed. */
static int has_close_range(void) { return syscall(SYS_close_range, 1, 0, 0) < 0 && errno == EINVAL; }

int start_as_target(const struct as_target *t)
{
	sigset_t all, before;
	int pidfd = -1;
	pid_t agent = getpid();
	int fetches = permitted_caps() >> CAP_SYS_PTRACE & 1 && has_close_range();
	unsigned long flags = CLONE_PIDFD | (fetches ? CLONE_FILES : 0);

	/* No handler of ours may run in the copy. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/*
	 * No exit signal: a supervisor that waits for its children with wait4(-1)
	 * must not reap this one. No CLONE_VM: credentials must not change the
	 * dumpable flag of our own memory.
	 */
#if defined(__s390x__)
	long pid = syscall(SYS_clone, 0, flags, &pidfd, 0, 0);
#else
	long pid = syscall(SYS_clone, flags, 0, &pidfd, 0, 0);
#endif
	if (pid == 0) {
		struct as_target_result r = {0, 0};
		struct as_target mine = *t;
		limit_time();
		guard();
		raise_permitted();
		if (!fetches)
			close_others(&mine);
		if (!fetches || leave_table(&mine, agent) == 0) {
			act(&mine, &r);
			syscall(SYS_write, mine.pipe, &r, sizeof r);
		}
		syscall(SYS_exit_group, 0);
	}
	int error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -error : pidfd;
}
