/*
 * What an OCI runtime does for a container, done by a process for itself: it loads a filter
 * and sends the notify fd to the agent.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

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
	int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                 SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
	                 &program);
	if (fd < 0)
		fail("load a filter");
	return fd;
}

/*
 * Sends the notify fd to the agent, like an OCI runtime, for a container that may bind a port.
 * The agent closes the connection once it serves the fd.
 */
static void attach(const char *agent, int notify, int id, int port)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	strncpy(at.sun_path, agent, sizeof at.sun_path - 1);
	int conn = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(conn, (struct sockaddr *)&at, sizeof at) < 0)
		fail("connect to the agent");
	char state[512], control[CMSG_SPACE(sizeof notify)] = {0};
	struct iovec io = {state, snprintf(state, sizeof state,
		"{\"ociVersion\":\"1.0.2\",\"fds\":[\"seccompFd\"],\"pid\":%d,"
		"\"state\":{\"ociVersion\":\"1.0.2\",\"id\":\"crowd-%d\",\"status\":\"creating\","
		"\"pid\":%d,\"bundle\":\"/\",\"annotations\":{\"port-restricter.port\":\"%d\"}}}",
		getpid(), id, getpid(), port)};
	struct msghdr message = {
		.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control,
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof notify);
	memcpy(CMSG_DATA(c), &notify, sizeof notify);
	if (sendmsg(conn, &message, 0) < 0)
		fail("send the notify fd to the agent");
	close(notify);
	char end;
	if (read(conn, &end, 1) != 0)
		fail("wait for the agent to close the connection");
	close(conn);
}
