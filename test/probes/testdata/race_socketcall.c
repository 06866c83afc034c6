/*
 * kind: attack
 * arch: i386
 *
 * The arguments of socketcall(2), even the fd, are in memory. Another process, which
 * has a file table of its own but shares that memory, changes the fd from an AF_UNIX
 * socket to an internet socket while the call is in progress.
 *
 * Bare kernel: the internet socket is bound to the forbidden port, or listens.
 *
 * port-restricter: the arguments are copied once, and the kernel never runs a
 * socketcall(2) itself.
 */
#include "probe.h"

struct block {
	volatile long bind[3], listen[2];
	union addr forbidden;
};

int main(void)
{
	struct swap s = swap_sockets(SOCK_STREAM);
	struct block *b = shared(sizeof *b);
	b->forbidden = loopback(AF_INET, FORBIDDEN);
	b->bind[1] = (long)&b->forbidden;
	b->bind[2] = sizeof b->forbidden.in;
	b->listen[1] = 1;
	if (child() == 0)
		for (;;) {
			b->bind[0] = b->listen[0] = s.unix_fd;
			b->bind[0] = b->listen[0] = s.inet_fd;
		}
	FOR_A_WHILE {
		syscall(SYS_socketcall, 4, b->listen);
		no_harm(s.inet_fd);
		syscall(SYS_socketcall, 2, b->bind);
		no_harm(s.inet_fd);
	}
	_exit(0);
}
