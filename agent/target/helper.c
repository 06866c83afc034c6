#define _GNU_SOURCE
#include "helper.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/*
 * A helper is forked from a process with many threads, so it makes raw system
 * calls only: no lock, no allocation (package fork). The set*id functions of
 * glibc would signal threads that the helper does not have.
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

static int get_caps(uint64_t *permitted, uint64_t *effective)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};
	int result = syscall(SYS_capget, &header, data);
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	*effective = data[0].effective | (uint64_t)data[1].effective << 32;
	return result;
}

static uint64_t permitted_caps(void)
{
	uint64_t permitted, effective;
	return get_caps(&permitted, &effective) < 0 ? 0 : permitted;
}

/* Makes no call if there is nothing to change: a sandbox may refuse capset(2). */
static int have_caps(uint64_t wanted)
{
	uint64_t permitted, effective;
	if (get_caps(&permitted, &effective) == 0 && permitted == wanted && effective == wanted)
		return 0;
	return set_caps(wanted, wanted);
}

static void raise_permitted(void) { have_caps(permitted_caps()); }

/*
 * With the target's user the helper could be traced by the target, and it holds
 * a copy of the agent's memory. Every change of credentials resets both settings.
 */
static void guard(void)
{
	syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static int take_groups(const struct helper *t, const struct ids *ids)
{
	return t->same_groups ? 0 : syscall(SYS_setgroups, ids->ngroups, ids->groups);
}

static int take_ids(const struct helper *t, const struct ids *ids)
{
	if (t->same_ids)
		return 0;
	/* The capabilities survive the change of ids. They are dropped below. */
	syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
	if (syscall(SYS_setresgid, ids->rgid, ids->egid, ids->sgid) < 0 ||
	    syscall(SYS_setresuid, ids->ruid, ids->euid, ids->suid) < 0)
		return -1;
	syscall(SYS_setfsgid, ids->fsgid);
	syscall(SYS_setfsuid, ids->fsuid);
	raise_permitted();
	return 0;
}

/*
 * Entering a user namespace needs CAP_SYS_ADMIN in it. A process in the parent
 * namespace whose effective uid owns the namespace has every capability in it, and
 * so has a process that entered it, also in the namespaces inside it:
 * user_namespaces(7). So the agent needs no CAP_SYS_ADMIN of its own.
 */
static int enter_as_owner(const struct helper *t)
{
	uid_t real, owner, euid;

	/*
	 * Ids have other numbers inside the namespace. The saved uid carries the
	 * target's effective uid there.
	 */
	if (t->ids.fsuid != t->ids.euid) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (syscall(SYS_setresuid, -1, t->owner, t->ids.euid) < 0)
		return -1;
	guard();
	if (syscall(SYS_setns, t->outer, CLONE_NEWUSER) < 0)
		return -1;
	guard();
	syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
	syscall(SYS_getresuid, &real, &owner, &euid);
	/*
	 * The kernel shows an id that is not mapped in the namespace as the overflow
	 * uid. Without CAP_SETUID it accepts a number only if that is really the
	 * number of the saved uid.
	 */
	set_caps(permitted_caps(), permitted_caps() & ~(1ULL << CAP_SETUID));
	if (syscall(SYS_setresuid, -1, euid, -1) < 0)
		return -1;
	raise_permitted();
	return 0;
}

static int enter_userns(const struct helper *t)
{
	if (t->userns < 0 || syscall(SYS_setns, t->userns, CLONE_NEWUSER) == 0)
		return 0;
	if (errno != EPERM || enter_as_owner(t) < 0)
		return -1;
	return t->userns == t->outer ? 0 : syscall(SYS_setns, t->userns, CLONE_NEWUSER);
}

/*
 * An agent without privilege has the user of the namespace's owner, and gets the privilege to
 * become the target only inside. So the helper enters the outermost namespace first, and takes
 * the ids by their numbers there. What it can't take or drop there, a group of the agent's user
 * for example, it must not lend to the target.
 */
static int become_inside(const struct helper *t, struct helper_result *r)
{
	r->step = STEP_USERNS;
	if (syscall(SYS_setns, t->outer, CLONE_NEWUSER) < 0)
		return -1;
	guard();
	r->step = STEP_OUTER_GROUPS;
	if (take_groups(t, &t->outer_ids) < 0)
		return -1;
	r->step = STEP_OUTER_IDS;
	if (take_ids(t, &t->outer_ids) < 0)
		return -1;
	guard();
	r->step = STEP_USERNS;
	return t->userns == t->outer ? 0 : syscall(SYS_setns, t->userns, CLONE_NEWUSER);
}

static int take_root(const struct helper *t)
{
	if (t->root < 0)
		return 0;
	if (syscall(SYS_fchdir, t->root) < 0)
		return -1;
	return syscall(SYS_chroot, ".");
}

/*
 * The agent's file table may hold files of other containers. A copy of the table
 * would keep their sockets bound for as long as this call hangs, and closing the
 * copies may itself hang: FUSE asks its server at each close. No lock can keep
 * such files out of a copy: a target can block the thread that inspects its socket,
 * and then all containers would wait for the lock.
 *
 * So a helper shares the agent's table at first, leaves it for an empty one, and
 * fetches the fds that it needs. The kernel copies the first word of the table all
 * the same; ReserveLowFDs keeps that free of targets' files.
 */
static int leave_table(struct helper *t)
{
	int *wanted[] = {&t->sock, &t->embedded, &t->userns, &t->outer, &t->root, &t->cwd,
		&t->pipe};
	int same_namespace = t->userns == t->outer;
	if (syscall(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		return -1;
	int pidfd = syscall(SYS_pidfd_open, t->agent, 0);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		if (*wanted[i] >= 0 && (*wanted[i] = syscall(SYS_pidfd_getfd, pidfd, *wanted[i], 0)) < 0)
			return -1;
	if (same_namespace)
		t->outer = t->userns;
	return syscall(SYS_close, pidfd);
}

/*
 * Closes the fds that the helper does not need. It serves an agent without
 * privilege, whose containers all belong to one user.
 */
static void close_others(const struct helper *t)
{
	int keep[] = {t->sock, t->embedded, t->userns, t->outer, t->root, t->cwd, t->pipe};
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
 * Without CAP_KILL the agent cannot kill a helper that has the target's ids, so
 * the helper limits its own time. The default action of SIGALRM ends a call that
 * waits in a killable way; a file system may not allow even that.
 */
static void limit_time(void)
{
	static const char by_default[64]; /* a struct kernel_sigaction with SIG_DFL, which is 0 */
	struct itimerval limit = {.it_value.tv_sec = HELPER_SECONDS};
	sigset_t alarm_only;

	syscall(SYS_rt_sigaction, SIGALRM, by_default, NULL, _NSIG / 8);
	syscall(SYS_setitimer, ITIMER_REAL, &limit, NULL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &alarm_only, NULL, _NSIG / 8);
}

static int take_identity(const struct helper *t, struct helper_result *r)
{
	r->step = STEP_IDS;
	int outside = take_groups(t, &t->ids) == 0 && take_ids(t, &t->ids) == 0;
	if (!outside && !t->knows_outer_ids)
		return -1;
	guard();

	/*
	 * chroot(2) needs CAP_SYS_CHROOT. A privileged agent has it here, an
	 * unprivileged one only inside the target's user namespace.
	 */
	int rooted = take_root(t) == 0;
	if (!outside && become_inside(t, r) < 0)
		return -1;
	r->step = STEP_USERNS;
	if (outside && enter_userns(t) < 0)
		return -1;
	r->step = STEP_ROOT;
	if (!rooted && take_root(t) < 0)
		return -1;
	r->step = STEP_CWD;
	if (syscall(SYS_fchdir, t->cwd) < 0)
		return -1;
	syscall(SYS_umask, t->umask);

	r->step = STEP_CAPS;
	return have_caps(t->caps & permitted_caps());
}

/*
 * The neutral user owns no user namespace. Where a process can't have that uid, it makes a user
 * namespace: from there it has no capability in a namespace beside it, even if its user owns
 * that one: user_namespaces(7).
 */
static int drop_privileges(struct helper_result *r)
{
	r->step = STEP_OWN_USERNS;
	int changes = permitted_caps() >> CAP_SETUID & 1;
	if ((!changes || syscall(SYS_setresuid, NEUTRAL_UID, NEUTRAL_UID, NEUTRAL_UID) < 0) &&
	    syscall(SYS_unshare, CLONE_NEWUSER) < 0)
		return -1;
	return have_caps(0);
}

static void make_call(const struct helper *t, struct helper_result *r)
{
	long result = t->unprivileged ? drop_privileges(r) : take_identity(t, r);
	if (result == 0) {
		guard();
		r->step = STEP_CALL;
		switch (t->call) {
		case CALL_BIND:
			result = bind(t->sock, (const struct sockaddr *)t->data, t->len);
			break;
		case CALL_LISTEN:
			result = listen(t->sock, t->backlog);
			break;
		default:
			result = setsockopt(t->sock, t->level, t->option, t->data, t->len);
		}
	}
	r->error = result == 0 ? 0 : errno;
}

/*
 * close_range(2) exists since Linux 5.9. With an empty range it fails by EINVAL
 * and closes nothing.
 */
static int has_close_range(void)
{
	return syscall(SYS_close_range, 1, 0, 0) < 0 && errno == EINVAL;
}

int helper_can_fetch(void)
{
	return permitted_caps() >> CAP_SYS_PTRACE & 1 && has_close_range();
}

void helper_run(void *helper)
{
	struct helper mine = *(const struct helper *)helper;
	struct helper_result result = {0, 0};

	limit_time();
	guard();
	raise_permitted();
	if (!mine.fetches)
		close_others(&mine);
	else if (leave_table(&mine) < 0)
		return;
	/* The kernel looks the number up in the helper's own file table. */
	if (mine.embedded >= 0)
		memcpy(mine.data + mine.embedded_at, &mine.embedded, sizeof mine.embedded);
	make_call(&mine, &result);
	syscall(SYS_write, mine.pipe, &result, sizeof result);
}
