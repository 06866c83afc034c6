/*
 * Does what a restricted container may want to do, each thing in a process of its own. It
 * prints a line for each: its name, and "works" or the errno.
 */
#include "probe.h"

#include <grp.h>
#include <linux/netlink.h>

/* The uids and gids of another user, and of the agent (agentUser in test/runc). */
enum { ANOTHER_USER = 1000, AGENT = 54320 };

static int bind_tcp(int port)
{
	return bind_port(sock(AF_INET, SOCK_STREAM, 0), port);
}

static int port(void) { return bind_tcp(5000); }
static int another_port(void) { return bind_tcp(5001); }
static int low_port(void) { return bind_tcp(80); }

static int low_port_without_capability(void)
{
	keep_caps(0);
	return bind_tcp(80);
}

static int low_port_in_own_user_namespace(void)
{
	MUST(unshare(CLONE_NEWUSER | CLONE_NEWNET));
	return bind_tcp(80);
}

static void become(uid_t id)
{
	MUST(setgroups(0, NULL));
	MUST(setresgid(id, id, id));
	MUST(setresuid(id, id, id));
}

/* The owner of a user namespace has every capability in it, and here that is the agent. */
static int low_port_in_namespace_of_agents_user(void)
{
	become(AGENT);
	return low_port_in_own_user_namespace();
}

static int low_port_there_without_capability(void)
{
	become(AGENT);
	MUST(unshare(CLONE_NEWUSER | CLONE_NEWNET));
	return low_port_without_capability();
}

static int undumpable(void)
{
	MUST(prctl(PR_SET_DUMPABLE, 0));
	return bind_tcp(5000);
}

/* The second thread shares the file table, so a helper binds, and not the kernel itself. */
static int bind_path(const char *path)
{
	thread(idle, NULL);
	return bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), path);
}

static int path(void)
{
	MUST(mkdir("path-of-the-process", 0700));
	return bind_path("path-of-the-process/socket");
}

static int path_as_another_user(void)
{
	MUST(mkdir("path-as-another-user", 0700));
	MUST(chown("path-as-another-user", ANOTHER_USER, ANOTHER_USER));
	become(ANOTHER_USER);
	return bind_path("path-as-another-user/socket");
}

static int path_of_another_user(void)
{
	MUST(mkdir("path-of-another-user", 0700));
	MUST(chown("path-of-another-user", ANOTHER_USER, ANOTHER_USER));
	return bind_path("path-of-another-user/socket");
}

static int path_of_another_user_without_capability(void)
{
	MUST(mkdir("path-without-capability", 0700));
	MUST(chown("path-without-capability", ANOTHER_USER, ANOTHER_USER));
	keep_caps(0);
	return bind_path("path-without-capability/socket");
}

static int join_group(void)
{
	union addr a = {.nl = {.nl_family = AF_NETLINK, .nl_groups = 1}};
	thread(idle, NULL);
	return bind(MUST(socket(AF_NETLINK, SOCK_RAW, NETLINK_XFRM)), &a.any, sizeof a);
}

static int netlink_group(void) { return join_group(); }

static int netlink_group_without_capability(void)
{
	keep_caps(0);
	return join_group();
}

int main(void)
{
#define CHECK(name) \
	do { \
		pid_t pid = child(); \
		if (pid == 0) \
			_exit(name() < 0 ? errno : 0); \
		int error = status_of(pid); \
		printf("%s %s\n", #name, error ? strerrorname_np(error) : "works"); \
	} while (0)
	CHECK(port);
	CHECK(another_port);
	CHECK(low_port);
	CHECK(low_port_without_capability);
	CHECK(low_port_in_own_user_namespace);
	CHECK(low_port_in_namespace_of_agents_user);
	CHECK(low_port_there_without_capability);
	CHECK(undumpable);
	CHECK(path);
	CHECK(path_as_another_user);
	CHECK(path_of_another_user);
	CHECK(path_of_another_user_without_capability);
	CHECK(netlink_group);
	CHECK(netlink_group_without_capability);
}
