/*
 * kind: behaviour
 *
 * A process hangs in execve(2), because execve(2) closes a file on a FUSE file system
 * whose server does not answer. Whatever inspects that process (kcmp(2), most of
 * /proc/PID) may hang too.
 *
 * Bare kernel and port-restricter: binds of other processes work, and do not wait for
 * the hanging one.
 *
 * "stuck_exec hang [uid [number]]" only hangs: a number of processes of a user do, until the
 * program is killed. A Go test runs another probe beside them.
 */
#include "fuse.h"

static int never(int file, uint64_t owner) { (void)file, (void)owner; return 0; }

static void hang_in_exec(int ready, uid_t uid, int number)
{
	fuse_mount("fuse", never);
	for (int i = 0; i < number; i++) {
		if (child() > 0)
			continue;
		MUST(open("fuse/0", O_RDONLY | O_CLOEXEC));
		if (uid)
			MUST(setuid(uid));
		execl("/proc/self/exe", "probe", "again", NULL);
		SETUP("execve: %m");
	}
	usleep(500000);
	MUST(write(ready, "", 1));
	pause();
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "hang") == 0)
		hang_in_exec(1, argc > 2 ? atoi(argv[2]) : 0, argc > 3 ? atoi(argv[3]) : 1);
	if (argc > 1)
		SETUP("execve did not hang, so the probe tests nothing");
	int ready[2];
	MUST(pipe(ready));
	pid_t hanging = child();
	if (hanging == 0)
		hang_in_exec(ready[1], 0, 1);
	close(ready[1]);
	char byte;
	if (read(ready[0], &byte, 1) == 1) {
		double start = now();
		for (int i = 0; i < 20; i++) {
			char name[32];
			snprintf(name, sizeof name, "a-socket-with-a-name-%d", i);
			WORKS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), name));
		}
		if (now() - start > at_most(5))
			WRONG("20 binds took %.1f s, while another process hung in execve", now() - start);
		kill(hanging, SIGKILL);
		status_of(hanging);
		return 0;
	}
	join(hanging);
}
