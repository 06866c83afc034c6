/*
 * kind: behaviour
 *
 * A process sends SIGURG without end to every thread of its parent, while it binds. The command
 * line's supervisor is the parent of the command, has the same user, and uses SIGURG itself.
 * In a container there is no parent to be seen.
 *
 * Bare kernel and port-restricter: each call has its result, and none fails by EINTR.
 */
#include "probe.h"

#include <dirent.h>

/* Sends SIGURG to all threads of a process. Returns whether it got there. */
static int interrupt(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	int reached = 0;
	for (struct dirent *task; tasks && (task = readdir(tasks));)
		if (syscall(SYS_tgkill, pid, atoi(task->d_name), SIGURG) == 0)
			reached = 1;
	if (tasks)
		closedir(tasks);
	return reached;
}

static void check(void)
{
	/* Some rounds, however busy the machine is: a probe that takes too long fails. */
	int rounds = 0;
	for (double end = now() + 2; rounds < 10 || now() < end; rounds++) {
		int tcp = sock(AF_INET, SOCK_STREAM, 0), path = sock(AF_UNIX, SOCK_STREAM, 0);
		WORKS(bind_port(tcp, ALLOWED));
		WORKS(listen(tcp, 1));
		WORKS(bind_unix(path, "socket-in-a-storm"));
		WORKS(listen(path, 1));
		WORKS(unlink("socket-in-a-storm"));
		close(tcp);
		close(path);
	}
}

int main(void)
{
	pid_t parent = getppid();
	if (parent > 1 && interrupt(parent) && child() == 0)
		for (;;)
			interrupt(parent);
	WITH_ONE_AND_TWO_THREADS(check());
}
