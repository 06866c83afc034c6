/*
 * kind: attack
 * arch: i386
 *
 * A 32-bit program listens on an unbound socket through socketcall(2).
 *
 * Bare kernel: listens at a port of the kernel's choice. port-restricter: EPERM, and
 * nothing is bound.
 */
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	long block[] = {fd, 1};
	refused(fd, syscall(SYS_socketcall, 4, block));
}
