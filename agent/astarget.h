#ifndef PORT_RESTRICTER_ASTARGET_H
#define PORT_RESTRICTER_ASTARGET_H

#include <stdint.h>
#include <sys/types.h>

/* How long a call made for the target may take: a path on a hung file system holds its caller, and not for ever. */
enum { ACT_SECONDS = 30 };

enum { ACT_BIND = 1, ACT_LISTEN = 2, ACT_SETSOCKOPT = 3 };

/* What the helper process does, and as whom. */
struct as_target {
	int call, sock, pipe;
	int backlog, level, option;
	unsigned len;
	unsigned char data[128];

	int userns;  /* -1: the target is in ours */
	int outer;   /* userns, or its ancestor, whose parent is ours */
	uid_t owner; /* of outer */
	int root;   /* -1: the target's root is ours */
	int cwd;
	unsigned umask;
	int ids; /* 0: the target's ids are ours */
	uid_t ruid, euid, suid, fsuid;
	gid_t rgid, egid, sgid, fsgid;
	int ngroups;
	const gid_t *groups;
	uint64_t caps; /* the target's effective set */
};

/* Where the helper got to, and errno there. */
struct as_target_result {
	int stage, error;
};

enum { STAGE_IDS = 1, STAGE_USERNS, STAGE_ROOT, STAGE_CWD, STAGE_CAPS, STAGE_CALL };

/*
 * Starts the helper; returns its pidfd or -errno. Its result comes through the
 * pipe. All fds of t stay open until it has ended.
 */
int start_as_target(const struct as_target *t);

#endif
