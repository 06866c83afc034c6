/*
 * Puts a line into the input of its terminal, as if the user had typed it there (TIOCSTI,
 * ioctl_tty(2)).
 */
#include "probe.h"

int main(void)
{
	for (const char *typed = "forged\n"; *typed; typed++)
		if (ioctl(0, TIOCSTI, typed) < 0) {
			printf("TIOCSTI: %s\n", strerrorname_np(errno));
			return 1;
		}
}
