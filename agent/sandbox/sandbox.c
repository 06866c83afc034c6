#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* Without the optional calls, a helper makes more calls, and the command has one lock. */
const struct requirement requirements[REQUIREMENTS] = {
	{"seccomp", "Linux 5.0", 0},
	{"pidfd_open", "Linux 5.3", 0},
	{"pidfd_getfd", "Linux 5.6", 0},
	{"process_vm_readv", "Linux 3.2 built with CONFIG_CROSS_MEMORY_ATTACH", 0},
	{"capset", "Linux 2.2", 0},
	{"setresuid", "Linux 2.2", 0},
	{"kcmp", "Linux 3.5", 1},
	{"landlock_create_ruleset", "Linux 5.13", 1},
	{"landlock_add_rule", "Linux 5.13", 1},
	{"landlock_restrict_self", "Linux 5.13", 1},
};
enum outcome outcomes[REQUIREMENTS];
int in_sandbox;

static int privileged(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};
	syscall(SYS_capget, &header, data);
	return data[0].permitted || data[1].permitted;
}

/*
 * Makes a call in a way that has no effect, and reports whether the result is one that the
 * kernel gives.
 */
static int reaches(int which)
{
	uint32_t notify = SECCOMP_RET_USER_NOTIF;
	switch (which) {
	case 0: return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &notify) == 0;
	case 1: return syscall(SYS_pidfd_open, -1, 0) < 0 && errno == EINVAL;
	case 2: return syscall(SYS_pidfd_getfd, -1, -1, 0) < 0 && errno == EBADF;
	case 3: return syscall(SYS_process_vm_readv, -1, 0, 0, 0, 0, 1) < 0 && errno == EINVAL;
	/* A process without capabilities does not make these two. */
	case 4: return !privileged() || (syscall(SYS_capset, 0, 0) < 0 && errno == EFAULT);
	case 5: return !privileged() || syscall(SYS_setresuid, -1, -1, -1) == 0;
	case 6: return syscall(SYS_kcmp, -1, -1, 0, 0, 0) == 0;
	case 7: return syscall(SYS_landlock_create_ruleset, 0, 0, 1) > 0;
	case 8: return syscall(SYS_landlock_add_rule, -1, 0, 0, 0) == 0;
	default: return syscall(SYS_landlock_restrict_self, -1, 0) == 0;
	}
}

/* Tries the calls from first on in a child, until one kills it. Returns how many it made. */
static int try_in_child(int first)
{
	int ends[2], tried = 0;
	enum outcome outcome;
	if (pipe(ends) < 0)
		return -1;
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* it leaves no core file */
		for (int i = first; i < REQUIREMENTS; i++) {
			outcome = reaches(i) ? REACHED : REFUSED;
			if (write(ends[1], &outcome, sizeof outcome) < 0)
				break;
		}
		_exit(0);
	}
	close(ends[1]);
	while (child > 0 && read(ends[0], &outcome, sizeof outcome) == sizeof outcome)
		outcomes[first + tried++] = outcome;
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return child < 0 ? -1 : tried;
}

void complain(const enum outcome *results, int sandboxed, char *text, size_t size)
{
	char names[256] = "", *end = names;
	text[0] = 0;
	for (int i = 0; i < REQUIREMENTS; i++) {
		if (results[i] == REACHED || (results[i] == REFUSED && requirements[i].optional))
			continue;
		if (!sandboxed) {
			snprintf(text, size, "this kernel has no %s(2) that port-restricter can use: "
			         "it needs %s or newer", requirements[i].name, requirements[i].since);
			return;
		}
		end += snprintf(end, names + sizeof names - end, " %s", requirements[i].name);
	}
	if (end > names)
		snprintf(text, size, "a seccomp filter around port-restricter refuses system calls that "
		         "it needs: in a systemd unit, add SystemCallFilter=%s; in a container, use a "
		         "seccomp profile that allows these calls (Docker: --cap-add SYS_PTRACE)",
		         names + 1);
}

/*
 * A constructor, since libseccomp calls seccomp(2) when Go initializes its packages. A sandbox
 * that kills who makes the call would end the program without a word.
 */
__attribute__((constructor)) static void try_all(void)
{
	char text[512];
	in_sandbox = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
	if (!in_sandbox) {
		for (int i = 0; i < REQUIREMENTS; i++)
			outcomes[i] = reaches(i) ? REACHED : REFUSED;
		return;
	}
	for (int next = 0; next < REQUIREMENTS; next++) {
		int tried = try_in_child(next);
		if (tried < 0)
			return; /* nothing is known */
		next += tried;
		if (next < REQUIREMENTS)
			outcomes[next] = KILLED;
	}
	if (outcomes[0] != KILLED)
		return;
	complain(outcomes, in_sandbox, text, sizeof text);
	dprintf(2, "port-restricter: %s\n", text);
	_exit(125); /* cli.StatusFailure */
}
