#define _GNU_SOURCE
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
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
 * A helper is a copy of the spawner, which has hardly more memory than its stack, so it makes raw
 * system calls only: no lock, no allocation (spawner.c). The set*id functions of glibc would signal
 * threads that the helper does not have.
 */

/*
 * A new process pays for each page at the first use of it. So what nearly every helper uses is on
 * the stack: no static variable, no constant in memory, and few functions of libc.
 */

static gid_t many_groups[2][MOST_GROUPS]; /* of ids and of outer_ids, if there are many */

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

/*
 * Keeps and raises those capabilities that are wanted, and drops all others. Makes no call if there
 * is nothing to change: a sandbox may refuse capset(2).
 */
static int keep_caps(uint64_t wanted)
{
	uint64_t permitted, effective;
	if (get_caps(&permitted, &effective) < 0)
		return -1;
	wanted &= permitted;
	return permitted == wanted && effective == wanted ? 0 : set_caps(wanted, wanted);
}

static void raise_permitted(void) { keep_caps(~0ULL); }

static void end_with_reader(const struct helper *t)
{
	syscall(SYS_fcntl, t->reply, F_SETOWN, syscall(SYS_getpid));
}

/*
 * With the target's user the helper could be traced by the target. And it must not outlive the
 * supervisor, whose successor makes the call again: the death signal of the spawner does not reach a
 * process with another user, but the pipe sends SIGIO once nobody can read the result. The kernel
 * compares the ids that F_SETOWN was called with. Every change of ids needs all three again.
 */
static void guard(const struct helper *t)
{
	syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	end_with_reader(t);
}

/* Reports whether the supervisor is still there, by whom the result is read. */
static int awaited(const struct helper *t)
{
	struct pollfd pipe = {.fd = t->reply};
	struct timespec now = {0};
	return syscall(SYS_ppoll, &pipe, 1, &now, NULL, 0) == 0;
}

static int take_groups(const struct helper *t, const struct ids *ids)
{
	const gid_t *groups = ids->groups;
	if (ids->ngroups > FEW_GROUPS)
		groups = many_groups[ids == &t->outer_ids];
	return t->same_groups ? 0 : syscall(SYS_setgroups, ids->ngroups, groups);
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
	guard(t);
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
	guard(t);
	if (syscall(SYS_setns, t->outer, CLONE_NEWUSER) < 0)
		return -1;
	guard(t);
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
	guard(t);
	r->step = STEP_OUTER_GROUPS;
	if (take_groups(t, &t->outer_ids) < 0)
		return -1;
	r->step = STEP_OUTER_IDS;
	if (take_ids(t, &t->outer_ids) < 0)
		return -1;
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
 * Without CAP_KILL nobody in the agent can kill a helper that has the target's ids, so the helper
 * limits its own time (limit_life). The default action of SIGALRM, and of SIGIO, ends a call that
 * waits in a killable way; a file system, or a socket's lock, may not allow even that. A helper that
 * is stopped ends when it is continued.
 */
static void let_signals_end(void)
{
	char by_default[64] = {0}; /* a struct kernel_sigaction with SIG_DFL, which is 0 */
	sigset_t ends;

	syscall(SYS_rt_sigaction, SIGALRM, by_default, NULL, _NSIG / 8);
	syscall(SYS_rt_sigaction, SIGIO, by_default, NULL, _NSIG / 8);
	sigemptyset(&ends);
	sigaddset(&ends, SIGALRM);
	sigaddset(&ends, SIGIO);
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &ends, NULL, _NSIG / 8);
}

static void limit_life(const struct helper *t)
{
	struct itimerval limit = {.it_value.tv_sec = HELPER_SECONDS};

	syscall(SYS_setitimer, ITIMER_REAL, &limit, NULL);
	syscall(SYS_fcntl, t->reply, F_SETFL, O_WRONLY | O_ASYNC);
	end_with_reader(t);
}

static int take_identity(const struct helper *t, struct helper_result *r)
{
	r->step = STEP_IDS;
	int outside = take_groups(t, &t->ids) == 0 && take_ids(t, &t->ids) == 0;
	if (!outside && !t->knows_outer_ids)
		return -1;

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
	return keep_caps(t->caps);
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
	return keep_caps(0);
}

static void make_call(const struct helper *t, struct helper_result *r)
{
	const uint64_t begun = TICKET_BEGUN;
	long result = t->unprivileged ? drop_privileges(r) : take_identity(t, r);
	if (result == 0) {
		guard(t);
		if (!awaited(t))
			syscall(SYS_exit_group, 0);
		r->step = STEP_CALL;
		syscall(SYS_write, t->ticket, &begun, sizeof begun);
		switch (t->call) {
		case CALL_BIND:
			result = syscall(SYS_bind, t->sock, t->data, t->len);
			break;
		case CALL_LISTEN:
			result = syscall(SYS_listen, t->sock, t->backlog);
			break;
		default:
			result = syscall(SYS_setsockopt, t->sock, t->level, t->option, t->data, t->len);
		}
	}
	r->error = result == 0 ? 0 : errno;
}

/* Reads the lists of groups that have no room in the request. */
static int read_groups(const struct helper *t)
{
	const struct ids *all[] = {&t->ids, &t->outer_ids};
	for (int i = 0; i < 2; i++) {
		size_t length = sizeof(gid_t) * all[i]->ngroups, done = 0;
		if (all[i]->ngroups <= FEW_GROUPS)
			continue;
		if (all[i]->ngroups > MOST_GROUPS)
			return -1;
		while (done < length) {
			long n = syscall(SYS_read, t->groups, (char *)many_groups[i] + done, length - done);
			if (n <= 0)
				return -1;
			done += n;
		}
	}
	return 0;
}

union control {
	char space[CMSG_SPACE(MOST_FDS * sizeof(int))];
	struct cmsghdr aligned;
};

/* Receives a request, whose fds become those of this process. Returns how many fds it has. */
static int receive(int requests, struct helper *t, union control *control, const int **fds)
{
	struct iovec data = {t, sizeof *t};
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof *control,
	};
	if (syscall(SYS_recvmsg, requests, &message, MSG_CMSG_CLOEXEC) != sizeof *t)
		return -1; /* the supervisor has ended */
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	if (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC) || !rights)
		return -1;
	int n = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	*fds = (const int *)CMSG_DATA(rights);
	int *wanted[] = {&t->sock, &t->embedded, &t->groups, &t->userns, &t->outer, &t->root, &t->cwd};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		if (*wanted[i] >= n)
			return -1;
		if (*wanted[i] >= 0)
			*wanted[i] = (*fds)[*wanted[i]];
	}
	return n;
}

void helper_run(int requests, int taken)
{
	struct helper t;
	struct helper_result result = {0, 0};
	union control control;
	const int *fds;
	uint64_t once;
	char root[] = "/";

	let_signals_end(); /* before a request is there, when nobody waits */
	int n = receive(requests, &t, &control, &fds);
	if (n < OTHER_FDS)
		return;
	pid_t pid = syscall(SYS_getpid);
	syscall(SYS_write, taken, &pid, sizeof pid);
	/* With the target's user, it has no way to the supervisor and to other helpers. */
	syscall(SYS_close, requests);
	syscall(SYS_close, taken);
	if (syscall(SYS_read, fds[TICKET], &once, sizeof once) != sizeof once)
		return;
	t.reply = fds[REPLY];
	t.ticket = fds[TICKET];
	limit_life(&t);
	raise_permitted();
	if (read_groups(&t) < 0)
		return;
	/* The kernel looks the number up in the helper's own file table. */
	if (t.embedded >= 0)
		memcpy(t.data + t.embedded_at, &t.embedded, sizeof t.embedded);
	make_call(&t, &result);
	/* Once the target has the answer, nothing may occupy its address or its mount any more. */
	for (int i = OTHER_FDS; i < n; i++)
		syscall(SYS_close, fds[i]);
	syscall(SYS_chdir, root);
	syscall(SYS_write, t.reply, &result, sizeof result);
}
