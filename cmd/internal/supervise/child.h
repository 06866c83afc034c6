#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

// A child is told everything before the fork, and finds it in its copy of our memory.
struct child {
	int socket, ours;  // the ends of the conversation
	int ruleset;       // Landlock's, -1 for none
	unsigned flags;    // of seccomp(2)
	unsigned short length;
	struct sock_filter *filter;
	char **argv;       // CMD's
	char **paths;      // where CMD may be, ended by NULL
	char **shell;      // argv of the shell that runs CMD if it is a script without an interpreter: the path goes to [1]
	int searched;      // paths come of PATH
};

// A report comes once the filter is loaded, with its notify fd, and once whenever something fails.
enum { STAGE_LOADED, STAGE_PRIVILEGES, STAGE_LOCK, STAGE_FILTER, STAGE_EXEC };
struct report {
	uint32_t stage, error; // errno
};

// run_child is the child's function, for fork_and_run with a struct child. The child execs CMD under the filter once a byte
// comes.
void run_child(void *child);
