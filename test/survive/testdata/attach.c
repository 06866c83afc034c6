/*
 * attach SOCKET PORT CMD...: attaches to the agent at SOCKET as a container that may bind PORT,
 * and executes CMD. As that of a rootless container, the process is in a user namespace of
 * its own.
 */
#define _GNU_SOURCE
#include "session.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	if (unshare(CLONE_NEWUSER) < 0)
		fail("unshare the user namespace");
	int port = atoi(argv[2]);
	attach(argv[1], load(), port, port);
	execv(argv[3], argv + 3);
	fail(argv[3]);
}
