/*
 * kind: behaviour
 * compare: stdout
 *
 * A process changes its umask, ids and groups, and binds AF_UNIX sockets to paths.
 *
 * Under port-restricter each call must have the same result as on the bare kernel. The
 * file belongs to the user and group that the caller has at that moment, and its mode
 * obeys the caller's umask.
 */
#include "probe.h"

static void made(const char *name)
{
	struct stat st;
	int fd = sock(AF_UNIX, SOCK_STREAM, 0), result = bind_unix(fd, name);
	show(name, result);
	if (result == 0 && stat(name, &st) == 0) {
		printf("%o %d:%d\n", st.st_mode, st.st_uid, st.st_gid);
		show("unlink", unlink(name));
	}
	close(fd);
}

static void check(void)
{
	umask(027);
	made("socket-with-umask-027");
	umask(0);
	made("socket-with-umask-0");
	MUST(mkdir("private-directory", 0700));
	MUST(mkdir("public-directory", 01777));
	MUST(chmod("public-directory", 01777));
	MUST(mkdir("group-directory", 0770));
	chown("group-directory", 0, 4321);
	gid_t groups[] = {4321};
	/* These may fail. They then fail on the bare kernel too: the output is compared. */
	show("setgroups", syscall(SYS_setgroups, 1, groups));
	show("setresgid", syscall(SYS_setresgid, 1234, 1235, 1236));
	show("setresuid", syscall(SYS_setresuid, 1234, 1235, 1236));
	made("public-directory/socket");
	made("group-directory/socket");
	made("private-directory/socket");
	rmdir("public-directory"), rmdir("private-directory"), rmdir("group-directory");
}

int main(void)
{
	MUST(chmod(".", 0777));
	WITH_ONE_AND_TWO_THREADS(check());
	return 0;
}
