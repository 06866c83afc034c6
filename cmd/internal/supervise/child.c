#define _GNU_SOURCE
#include "child.h"
#include "environment.h"
#include "inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The child is the process between the fork and the exec of CMD. It is written in C
 * because to do the same in Go would take a second start of Go's runtime, which is half
 * of the time that a short command takes.
 *
 * Until the exec it shares the supervisor's memory, as after vfork(2), and is undumpable
 * like the supervisor: to copy the memory would take a quarter of that time. The thread that
 * started it waits meanwhile, so errno is the child's. Other threads go on, so the child makes
 * no call that takes a lock or allocates.
 */

extern char **environ;

static int send_report(int socket, int stage, int error, int notify_fd)
{
	struct report report = {stage, error};
	struct iovec data = {&report, sizeof report};
	union {
		char space[CMSG_SPACE(sizeof notify_fd)];
		struct cmsghdr aligned;
	} control = {{0}};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
	if (notify_fd >= 0) {
		message.msg_control = control.space;
		message.msg_controllen = sizeof control.space;
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		*rights = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof notify_fd),
		};
		memcpy(CMSG_DATA(rights), &notify_fd, sizeof notify_fd);
	}
	return syscall(SYS_sendmsg, socket, &message, MSG_NOSIGNAL);
}

static int try_exec(const struct child *c, char *path)
{
	syscall(SYS_execve, path, c->argv, environ);
	if (errno == ENOEXEC) {
		c->shell[1] = path;
		syscall(SYS_execve, c->shell[0], c->shell, environ);
	}
	return errno;
}

/* Executes CMD like execvp(3). Returns on failure only, with the errno that shells report. */
static int exec_command(const struct child *c)
{
	int result = ENOENT;
	for (char **path = c->paths; *path; path++) {
		int error = try_exec(c, *path);
		if (!c->searched)
			return error;
		switch (error) {
		case ENOENT: case ENOTDIR: case ESTALE: case ENODEV: case ETIMEDOUT:
			break;
		case EACCES:
			/*
			 * Shells report "not found", and not "permission denied", where the
			 * directory could not be searched, for example a directory of root
			 * in the PATH of a user.
			 */
			if (syscall(SYS_faccessat, AT_FDCWD, *path, F_OK) == 0)
				result = error;
			break;
		default:
			return error;
		}
	}
	return result;
}

/*
 * Whoever gives port-restricter the file capability CAP_NET_BIND_SERVICE means the command, which
 * would lose the capability at its exec. All others that a file can give stay here. Root needs
 * no help to keep it, and whoever has it as an ambient capability has it already.
 */
static void pass_on_file_capability(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};
	if (syscall(SYS_geteuid) == 0 || syscall(SYS_capget, &header, data) < 0 ||
	    !(data[0].permitted >> CAP_NET_BIND_SERVICE & 1))
		return;
	data[0].inheritable |= 1U << CAP_NET_BIND_SERVICE;
	if (syscall(SYS_capset, &header, data) == 0)
		syscall(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0);
}

/* Returns on failure only, with the stage that failed and its errno in errno. */
static int restrict_and_exec(const struct child *c)
{
	char go;
	pass_on_file_capability();
	if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return STAGE_PRIVILEGES;
	if (c->ruleset >= 0 && syscall(SYS_landlock_restrict_self, c->ruleset, 0) < 0)
		return STAGE_LOCK;
	struct sock_fprog program = {c->length, c->filter};
	unsigned flags = c->flags | SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (fd < 0)
		return STAGE_FILTER;
	if (send_report(c->socket, STAGE_LOADED, 0, fd) < 0)
		return STAGE_FILTER;
	syscall(SYS_close, fd);
	if (syscall(SYS_read, c->socket, &go, 1) != 1)
		syscall(SYS_exit_group, 0); /* the supervisor gave up, and reports why */
	errno = exec_command(c);
	return STAGE_EXEC;
}

void run_child(void *child)
{
	struct child *c = child;

	syscall(SYS_close, c->parent_socket);
	c->pid = syscall(SYS_getpid);
	send_report(c->socket, STAGE_BORN, 0, -1);
	/* From here on, a signal has the same effect on this process as it would have on CMD. */
	inherited_restore();
	environment_edit(c->supervisor, c->notify);
	int stage = restrict_and_exec(c);
	send_report(c->socket, stage, errno, -1);
}
