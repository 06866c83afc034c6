// kind: behaviour
// An absolute path is the caller's, in the caller's root.
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

/* A user namespace is made before there is a second thread: unshare(2). */
static void in_company(void)
{
	if (chroot(".") < 0)
		MUST(unshare(CLONE_NEWUSER));
	company = "with a second thread";
	thread(idle, NULL);
	check();
}

int main(void)
{
	MUST(mkdir("new-root", 0755));
	CHILD(check());
	CHILD(in_company());
}
