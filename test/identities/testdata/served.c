/*
 * Does what a policy of the ports 80 and 5000 is about, each thing in a process of its own. It
 * prints a line for each: its name, and "works" or the errno.
 */
#include "../../probes/testdata/probe.h"

#include <grp.h>

static int serve(int port)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	return bind_port(fd, port) < 0 ? -1 : listen(fd, 8);
}

static int port(void) { return serve(5000); }
static int another_port(void) { return serve(5001); }
static int low_port(void) { return serve(80); }

static int low_port_without_capability(void)
{
	keep_caps(0);
	return serve(80);
}

static int low_port_in_own_namespaces(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? -1 : serve(80);
}

static int serve_path(const char *path)
{
	int fd = sock(AF_UNIX, SOCK_STREAM, 0);
	int result = bind_unix(fd, path) < 0 ? -1 : listen(fd, 8);
	if (result == 0)
		unlink(path);
	return result;
}

static int path(void) { return serve_path("socket-of-one-thread"); }

/* Two threads share a file table, so the kernel does not run the call itself. */
static int path_of_threads(void)
{
	thread(idle, NULL);
	return serve_path("socket-of-two-threads");
}

/* The directory that the arguments of the program name. */
static const char *elsewhere;

static int path_elsewhere(void)
{
	char path[100];
	thread(idle, NULL);
	snprintf(path, sizeof path, "%s/socket-of-%d", elsewhere, getpid());
	return serve_path(path);
}

static int path_elsewhere_without_capability(void)
{
	keep_caps(0);
	return path_elsewhere();
}

static int path_elsewhere_without_groups(void)
{
	return setgroups(0, NULL) < 0 ? -1 : path_elsewhere();
}

static void send_fd(int channel, int fd)
{
	char nothing = 0, space[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec data = {&nothing, 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = space,
		.msg_controllen = sizeof space};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(rights), &fd, sizeof fd);
	MUST(sendmsg(channel, &message, 0));
}

static int receive_fd(int channel)
{
	int fd;
	char nothing, space[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec data = {&nothing, 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = space,
		.msg_controllen = sizeof space};
	if (MUST(recvmsg(channel, &message, 0)) == 0) {
		errno = ENOTCONN;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
	return fd;
}

/* Becomes another user, and executes a program, as gosu(1) does. */
static int become_another(void)
{
	return setgroups(0, NULL) < 0 || setresgid(33, 33, 33) < 0 || setresuid(33, 33, 33) < 0 ? -1 : 0;
}

static int as_another_user(const char *what)
{
	if (become_another() < 0)
		return -1;
	execl("/proc/self/exe", "served", what, NULL);
	return -1;
}

static int port_of_another_user(void) { return as_another_user("port"); }
static int path_of_another_user(void) { return as_another_user("path"); }

/*
 * Another user, who does not own the namespaces, binds a socket that a process in them has made.
 * The owner has every capability there.
 */
static int low_port_in_namespaces_of_others(void)
{
	int ends[2], fd = -1;
	char number[12];
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	if (fork() == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
			send_fd(ends[1], sock(AF_INET, SOCK_STREAM, 0));
		_exit(0);
	}
	close(ends[1]);
	if ((fd = receive_fd(ends[0])) < 0)
		return -1;
	snprintf(number, sizeof number, "%d", fd);
	if (become_another() < 0)
		return -1;
	execl("/proc/self/exe", "served", "socket", number, NULL);
	return -1;
}

static int port_of_another_group(void)
{
	return setresgid(33, 33, 33) < 0 || execl("/proc/self/exe", "served", "port", NULL) ? -1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "port"))
		_exit(port() < 0 ? errno : 0);
	if (argc == 2 && !strcmp(argv[1], "path")) {
		thread(idle, NULL);
		char name[40];
		snprintf(name, sizeof name, "/tmp/socket-of-another-%d", getpid());
		int failed = serve_path(name) < 0 ? errno : 0;
		unlink(name);
		_exit(failed);
	}
	if (argc == 3 && !strcmp(argv[1], "socket"))
		_exit(bind_port(atoi(argv[2]), 80) < 0 ? errno : 0);
	elsewhere = argc > 1 ? argv[1] : "/";
#define CHECK(name) \
	do { \
		pid_t pid = child(); \
		if (pid == 0) \
			_exit(name() < 0 ? errno : 0); \
		int error = status_of(pid); \
		printf("%s %s\n", #name, error == 0 ? "works" : \
		       error < 128 ? strerrorname_np(error) : "killed"); \
	} while (0)
	CHECK(port);
	CHECK(another_port);
	CHECK(low_port);
	CHECK(low_port_without_capability);
	CHECK(low_port_in_own_namespaces);
	CHECK(low_port_in_namespaces_of_others);
	CHECK(path);
	CHECK(path_of_threads);
	CHECK(path_elsewhere);
	CHECK(path_elsewhere_without_capability);
	CHECK(path_elsewhere_without_groups);
	CHECK(port_of_another_user);
	CHECK(path_of_another_user);
	CHECK(port_of_another_group);
}
