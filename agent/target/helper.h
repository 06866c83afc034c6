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

enum { FEW_GROUPS = 32, MOST_GROUPS = 65536 /* NGROUPS_MAX */ };

/* The uids, gids and groups of a process, as numbers of one user namespace. */
struct ids {
	uid_t ruid, euid, suid, fsuid;
	gid_t rgid, egid, sgid, fsgid;
	int ngroups;
	gid_t groups[FEW_GROUPS]; /* unless there are more */
};

/*
 * A request: the call that a helper makes, and the identity that it takes on before. It is one
 * message, and so are its fds (SCM_RIGHTS). In the message, an fd of the struct is its index there,
 * and reply and ticket are unused.
 */
struct helper {
	int call, sock, reply, ticket;
	int backlog, level, option;
	unsigned len;
	unsigned char data[128];
	int embedded; /* an fd whose number data contains; -1: none */
	unsigned embedded_at;

	int groups; /* a pipe with the lists of more than FEW_GROUPS: those of ids, then of outer_ids */

	int unprivileged; /* 1: no capability and no identity; all below is unused */
	int userns;  /* -1: the target's user namespace is the helper's */
	int outer;   /* userns or its ancestor whose parent is the agent's user namespace */
	uid_t owner; /* the user who owns outer */
	int root;    /* -1: the target's root is the helper's */
	int cwd;
	unsigned umask;
	int same_ids, same_groups; /* 1: the target's are the helper's already */
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

/*
 * The first fds of a request. A helper writes a struct helper_result to the reply, a pipe; if the
 * pipe is closed without one, the helper was killed. The ticket is an eventfd that is read once: by
 * the helper, or by the worker that gives up, after which no helper makes the call. The helper says
 * by it that the call begins.
 */
enum { REPLY, TICKET, OTHER_FDS, MOST_FDS = OTHER_FDS + 7 };
enum { TICKET_FREE = 1, TICKET_BEGUN };

/*
 * Receives a request from the socket, tells taken, a pipe, the pid of this process, and does what
 * is asked.
 */
void helper_run(int requests, int taken);

#endif
