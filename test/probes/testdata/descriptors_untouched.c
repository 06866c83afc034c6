/*
 * kind: behaviour
 * compare: stdout
 *
 * The program prints the fds that it was started with.
 *
 * Under port-restricter the program gets the same fds as on the bare kernel, and no
 * notify fd.
 */
#include "probe.h"

int main(void)
{
	char path[32], target[256];
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0) {
			snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
			target[MUST(readlink(path, target, sizeof target - 1))] = 0;
			printf("%d is %.*s\n", fd, (int)strcspn(target, "["), target); /* pipe:[123] */
		}
}
