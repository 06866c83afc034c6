/*
 * kind: attack
 * arch: i386
 *
 * A 32-bit program uses the i386 system calls bind and listen (Linux 4.3), not
 * socketcall(2).
 *
 * Bare kernel: binds the forbidden port, or listens at a port of the kernel's choice.
 *
 * port-restricter: both calls fail with EPERM.
 */
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, FORBIDDEN);
	refused(fd, syscall(SYS_bind, fd, &a, sizeof a.in));
	refused(fd, syscall(SYS_listen, fd, 1));
}
