// Prints a line for each thing that a held container does: its name, and how it ended.
#include "probe.h"

#include <grp.h>
#include <linux/netlink.h>

enum { SOMEBODY = 1000, AGENT = 54320 };

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

/* The owner of a namespace has every capability in it. */
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

/* With a second thread a helper binds, not the kernel for us. */
static int bind_path(const char *path)
{
	thread(idle, NULL);
	return bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), path);
}

static int path(void)
{
	MUST(mkdir("path-of-our-own", 0700));
	return bind_path("path-of-our-own/socket");
}

static int path_as_another_user(void)
{
	MUST(mkdir("path-of-somebody", 0700));
	MUST(chown("path-of-somebody", SOMEBODY, SOMEBODY));
	become(SOMEBODY);
	return bind_path("path-of-somebody/socket");
}

static int path_of_another_user(void)
{
	MUST(mkdir("path-not-of-ours", 0700));
	MUST(chown("path-not-of-ours", SOMEBODY, SOMEBODY));
	return bind_path("path-not-of-ours/socket");
}

static int path_of_another_user_without_capability(void)
{
	MUST(mkdir("path-still-not-ours", 0700));
	MUST(chown("path-still-not-ours", SOMEBODY, SOMEBODY));
	keep_caps(0);
	return bind_path("path-still-not-ours/socket");
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
