/*
 * kind: behaviour
 * ports: 5000,5002
 *
 * A process has two threads. The leader calls bind(2) with an address in a file on a
 * FUSE file system, and the supervisor waits for that memory. Meanwhile the second
 * thread calls execve(2), which hangs because it closes a file there. From then on
 * pidfd_getfd(2) of the leader's fds hangs too, in the supervisor.
 *
 * Bare kernel and port-restricter: only the hanging processes wait. A bind of another
 * process works.
 */
#include "fuse.h"

enum { STUCK = 6 };

static int go[STUCK][2]; /* a byte tells the second thread to call execve */

static void exec_now(int file) { (void)!write(go[file][1], "", 1); }

static int never(int file, uint64_t owner)
{
	(void)owner;
	union addr a = loopback(AF_INET, 5002);
	fuse_read(file, &a); /* this close is made by execve, so execve has begun */
	return 0;
}

static void *exec_when_told(void *file)
{
	char byte;
	MUST(read(go[(intptr_t)file][0], &byte, 1));
	usleep(10000);
	execl("/proc/self/exe", "probe", "again", NULL);
	SETUP("execve: %m");
}

static void bind_and_exec(int file)
{
	char path[16];
	close(fuse_fd);
	snprintf(path, sizeof path, "fuse/%d", file);
	int fd = MUST(open(path, O_RDONLY | O_CLOEXEC));
	void *page = MUST(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
	thread(exec_when_told, (void *)(intptr_t)file);
	bind(sock(AF_INET, SOCK_STREAM, 0), page, sizeof(struct sockaddr_in));
	pause();
}

static void hang(int ready)
{
	for (int i = 0; i < STUCK; i++)
		MUST(pipe(go[i]));
	fuse_holds_read = exec_now;
	fuse_mount("fuse", never);
	for (int i = 0; i < STUCK; i++)
		if (child() == 0)
			bind_and_exec(i);
	usleep(1000000);
	MUST(write(ready, "", 1));
	pause();
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 0; /* the execve that hung, after the FUSE file system was gone */
	int ready[2];
	MUST(pipe(ready));
	pid_t hanging = child();
	if (hanging == 0)
		hang(ready[1]);
	close(ready[1]);
	char byte;
	if (read(ready[0], &byte, 1) == 1) {
		double start = now();
		alarm(at_most(8));
		CHILD(
			int fd = sock(AF_INET, SOCK_STREAM, 0);
			WORKS(bind_port(fd, ALLOWED));
			WORKS(listen(fd, 1)));
		if (now() - start > at_most(5))
			WRONG("bind and listen of another process took %.1f s", now() - start);
		kill(hanging, SIGKILL);
		status_of(hanging);
		return 0;
	}
	join(hanging);
}
