/*
 * kind: behaviour
 *
 * A process binds AF_UNIX sockets to paths on a file system that only its own mount
 * namespace has.
 *
 * Bare kernel and port-restricter: the files are made there, and belong to the caller.
 */
#include "probe.h"

static void check(void)
{
	struct stat st;
	WORKS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), "./relative-socket"));
	WORKS(stat("relative-socket", &st));
	WORKS(unlink("relative-socket"));
	char path[108];
	snprintf(path, sizeof path, "%s/absolute-socket", getcwd(NULL, 0));
	WORKS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), path));
	WORKS(stat("absolute-socket", &st));
	if (st.st_uid != geteuid())
		WRONG("%s: the file belongs to user %d, not to %d", situation, st.st_uid, geteuid());
	WORKS(unlink("absolute-socket"));
}

static void map_to_root(const char *file, int id)
{
	char map[32];
	int length = snprintf(map, sizeof map, "0 %d 1", id);
	if (write(MUST(open(file, O_WRONLY)), map, length) < 0)
		NOT_APPLICABLE("%s: %m: to map root takes CAP_SETFCAP (Linux 5.12)", file);
}

int main(void)
{
	int uid = geteuid(), gid = getegid();
	MUST(mkdir("mounted", 0755));
	MUST(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	MUST(write(MUST(open("/proc/self/setgroups", O_WRONLY)), "deny", 4));
	map_to_root("/proc/self/uid_map", uid);
	map_to_root("/proc/self/gid_map", gid);
	MUST(mount("private", "mounted", "tmpfs", 0, "mode=1777"));
	MUST(chdir("mounted"));
	WITH_ONE_AND_TWO_THREADS(check());
}
