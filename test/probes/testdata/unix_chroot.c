/*
 * kind: behaviour
 *
 * A process with another root directory binds an AF_UNIX socket to an absolute path.
 *
 * Bare kernel and port-restricter: the file is made at that path in the root directory
 * of the caller.
 */
#include "probe.h"

static void check(void)
{
	if (chroot("new-root") < 0) {
		MUST(unshare(CLONE_NEWUSER));
		MUST(chroot("new-root"));
	}
	int outside = open(".", O_RDONLY | O_DIRECTORY);
	MUST(chdir("/"));
	WORKS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), "/absolute-socket"));
	struct stat st;
	WORKS(fstatat(outside, "new-root/absolute-socket", &st, 0));
	WORKS(unlink("/absolute-socket"));
}

/* unshare(2) makes a user namespace for a process with one thread only, so it comes first. */
static void check_with_two_threads(void)
{
	if (chroot(".") < 0)
		MUST(unshare(CLONE_NEWUSER));
	situation = "with two threads";
	thread(idle, NULL);
	check();
}

int main(void)
{
	MUST(mkdir("new-root", 0755));
	CHILD(check());
	CHILD(check_with_two_threads());
}
