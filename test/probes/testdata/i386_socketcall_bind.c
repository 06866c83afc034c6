/*
 * kind: attack
 * arch: i386
 *
 * A 32-bit program binds a forbidden port through socketcall(2).
 *
 * Bare kernel: binds the port. port-restricter: EPERM, and nothing is bound.
 */
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, FORBIDDEN);
	long block[] = {fd, (long)&a, sizeof a.in};
	refused(fd, syscall(SYS_socketcall, 2, block));
}
