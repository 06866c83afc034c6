/*
 * Runs a command that may make only the system calls of a list, as systemd does for a unit with
 * SystemCallFilter=. Arguments: what becomes of any other call (kill, or the number of an errno),
 * the calls in one word, and the command.
 */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	int errnum = atoi(argv[1]);
	scmp_filter_ctx filter =
		seccomp_init(errnum ? SCMP_ACT_ERRNO(errnum) : SCMP_ACT_KILL_PROCESS);
	for (char *name = strtok(argv[2], " \n"); name; name = strtok(NULL, " \n")) {
		int number = seccomp_syscall_resolve_name(name);
		if (number != __NR_SCMP_ERROR && seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) < 0)
			return 3;
	}
	if (seccomp_load(filter) < 0)
		return 4;
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 127;
}
