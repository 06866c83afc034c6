#ifndef PORT_RESTRICTER_CHILD_H
#define PORT_RESTRICTER_CHILD_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Everything that the child needs to know, in memory that it shares with the supervisor.
 */
struct child {
	pid_t pid;         /* of the child, for the supervisor: valid when it has sent STAGE_BORN */
	int32_t pidfd;     /* likewise, in the supervisor's file table */
	int socket;        /* the child's end of its socket pair with the supervisor */
	int parent_socket; /* the supervisor's end */
	pid_t supervisor;  /* its pid */
	char *notify;      /* for environment_edit */
	int ruleset;       /* an fd of a Landlock ruleset, or -1 */
	unsigned flags;    /* of seccomp(2) */
	unsigned short length; /* of filter */
	struct sock_filter *filter;
	char **argv;       /* of CMD */
	char **paths;      /* where CMD may be, ended by NULL */
	char **shell;      /* argv of the shell that runs a script without "#!"; its path goes to [1] */
	int searched;      /* whether paths come from PATH */
};

/*
 * The child sends a report at its start, one with the notify fd once the filter is loaded,
 * and one of the stage at which something fails.
 */
enum { STAGE_BORN, STAGE_LOADED, STAGE_PRIVILEGES, STAGE_LOCK, STAGE_FILTER, STAGE_EXEC };
struct report {
	uint32_t stage;
	uint32_t error; /* errno */
};

/*
 * The child's function, for fork_and_run with a struct child. It loads the filter, waits for one
 * byte from the supervisor, and executes CMD. Returns on failure only, which it has reported.
 */
void run_child(void *child);

#endif
