/*
 * kind: attack
 *
 * A program binds that was started by execve(2) from a process with two threads.
 *
 * Bare kernel: it can bind the forbidden port.
 *
 * port-restricter: it can bind the allowed port, and is refused the forbidden one with
 * EPERM.
 */
#include "probe.h"

int main(int argc, char **argv)
{
	if (argc == 2)
		only_allowed();
	else {
		thread(idle, NULL);
		MUST(execl("/proc/self/exe", argv[0], "again", NULL));
	}
}
