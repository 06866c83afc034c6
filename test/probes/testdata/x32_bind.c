/*
 * kind: attack
 * arch: x86
 *
 * The x32 ABI (Linux 3.4) numbers bind(2) and listen(2) differently, and reports the
 * same architecture to seccomp as x86-64 does.
 *
 * Bare kernel with CONFIG_X86_X32_ABI: binds the forbidden port, or listens at a port
 * of the kernel's choice.
 *
 * port-restricter: the filter knows the x32 calls too. Both fail with EPERM.
 */
#include "probe.h"

enum { X32 = 0x40000000 };

int main(void)
{
	if (syscall(X32 | SYS_getpid) < 0 && errno == ENOSYS)
		NOT_APPLICABLE("this kernel has no x32 ABI");
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, FORBIDDEN);
	refused(fd, syscall(X32 | SYS_bind, fd, &a, sizeof a.in));
	refused(fd, syscall(X32 | SYS_listen, fd, 1));
}
