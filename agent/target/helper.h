#ifndef PORT_RESTRICTER_HELPER_H
#define PORT_RESTRICTER_HELPER_H

#include <stdint.h>
#include <sys/types.h>

/*
 * How long a call may take, in seconds. A path on a file system that does not
 * answer would block the call for ever.
 */
enum { HELPER_SECONDS = 30 };

enum { CALL_BIND = 1, CALL_LISTEN, CALL_SETSOCKOPT };

#define NEUTRAL_UID 0xfffffffd

/* The uids, gids and groups of a process, as numbers of one user namespace. */
struct ids {
	uid_t ruid, euid, suid, fsuid;
	gid_t rgid, egid, sgid, fsgid;
	int ngroups;
	const gid_t *groups;
};

/* The call that a helper makes, and the identity that the helper takes on before. */
struct helper {
	int call, sock, pipe;
	int backlog, level, option;
	unsigned len;
	unsigned char data[128];
	int embedded; /* an fd whose number data contains; -1: none */
	unsigned embedded_at;

	pid_t agent; /* the process that starts the helper */
	int fetches; /* 1: the helper takes its fds from the agent by pidfd_getfd(2) */

	int unprivileged; /* 1: no capability and no identity; all below is unused */
	int userns;  /* -1: the target's user namespace is the agent's */
	int outer;   /* userns or its ancestor whose parent is the agent's user namespace */
	uid_t owner; /* the user who owns outer */
	int root;    /* -1: the target's root is the agent's */
	int cwd;
	unsigned umask;
	int same_ids, same_groups; /* 1: the target's are the agent's */
	struct ids ids;            /* in numbers of the agent's user namespace */
	int knows_outer_ids;
	struct ids outer_ids; /* in numbers of the namespace outer */
	uint64_t caps; /* the target's effective capabilities */
};

/* The last step that a helper began, and its errno; 0 if the call succeeded. */
struct helper_result {
	int step, error;
};

enum {
	STEP_IDS = 1, STEP_OUTER_GROUPS, STEP_OUTER_IDS, STEP_USERNS, STEP_ROOT, STEP_CWD, STEP_CAPS,
	STEP_OWN_USERNS, STEP_CALL
};

/* Reports whether a helper of the calling thread can fetch its fds. */
int helper_can_fetch(void);

/*
 * The child's function, for fork_and_run with a struct helper. It writes a
 * struct helper_result to the pipe. The agent keeps all fds of the struct open
 * until the helper has ended.
 */
void helper_run(void *helper);

#endif
