/*
 * floor CACHED CMD [ARG...]     runs a command
 * floor CACHED listen SOCKET    serves the containers of an OCI runtime, one after the
 *                               other
 *
 * The least that a supervisor can do for a bind, as a floor to compare with. It has no
 * policy, checks nothing after it has copied the address, and serves one process after
 * the other. If CACHED is 1, it also keeps pidfds by thread id, and takes a thread for
 * the first one that had its id.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

/* Loads a filter that notifies of bind, and returns its notify fd. */
static int load(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof *code, code};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
	               &program);
}

/* Returns a pidfd of the thread, which the caller closes unless it is cached. */
static int thread_of(uint32_t tid, int cached)
{
	static struct { uint32_t tid; int fd; } known[64];
	int slot = tid % 64;
	if (cached && known[slot].tid == tid)
		return known[slot].fd;
	int fd = syscall(SYS_pidfd_open, tid, O_EXCL /* PIDFD_THREAD */);
	if (cached) {
		if (known[slot].tid)
			close(known[slot].fd);
		known[slot].tid = tid;
		known[slot].fd = fd;
	}
	return fd;
}

/* Answers notifications until no process is left that could notify. */
static void serve(int notify, int cached)
{
	ioctl(notify, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	for (;;) {
		struct seccomp_notif n = {0};
		if (ioctl(notify, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0) {
			if (errno == EINTR)
				continue;
			return; /* no process is left */
		}
		char address[128];
		int pidfd = thread_of(n.pid, cached);
		size_t length = n.data.args[2] < sizeof address ? n.data.args[2] : sizeof address;
		struct iovec local = {address, length}, remote = {(void *)n.data.args[1], length};
		struct seccomp_notif_resp answer = {.id = n.id};
		process_vm_readv(n.pid, &local, 1, &remote, 1, 0);
		int fd = syscall(SYS_pidfd_getfd, pidfd, (int)n.data.args[0], 0);
		if (bind(fd, (struct sockaddr *)address, length) < 0)
			answer.error = -errno;
		close(fd);
		if (!cached)
			close(pidfd);
		ioctl(notify, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

/* Serves one container after the other. The state that the runtime sends is ignored. */
static void serve_containers(const char *path, int cached)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	strncpy(at.sun_path, path, sizeof at.sun_path - 1);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 8) < 0)
		return;
	for (;;) {
		char state[65536], control[CMSG_SPACE(sizeof(int))];
		struct iovec io = {state, sizeof state};
		struct msghdr message = {
			.msg_iov = &io,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof control,
		};
		int conn = accept(listener, NULL, NULL), notify;
		if (conn < 0 || recvmsg(conn, &message, 0) < 0 || !CMSG_FIRSTHDR(&message))
			return;
		memcpy(&notify, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof notify);
		close(conn);
		serve(notify, cached);
		close(notify);
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[2], "listen")) {
		serve_containers(argv[3], atoi(argv[1]));
		return 1;
	}
	int pipes[2];
	if (argc < 3 || pipe(pipes) < 0)
		return 2;
	pid_t pid = fork();
	if (pid == 0) {
		int fd = load();
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		if (fd < 0 || write(pipes[1], &fd, sizeof fd) < 0)
			_exit(1);
		usleep(50000); /* until the parent has duplicated fd */
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	int fd;
	if (read(pipes[0], &fd, sizeof fd) != sizeof fd)
		return 1;
	int child = syscall(SYS_pidfd_open, pid, 0), notify = syscall(SYS_pidfd_getfd, child, fd, 0);
	/*
	 * Closed for a fair comparison: while a pidfd is open, the kernel makes another one
	 * of the same process cheaply.
	 */
	close(child);
	serve(notify, atoi(argv[1]));
	int status;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
