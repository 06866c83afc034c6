// kind: attack
// arch: i386
// socketcall(2) has even its fd in memory, which a process with an fd table of its own changes.
#include "probe.h"

struct block {
	volatile long bind[3], listen[2];
	union addr forbidden;
};

int main(void)
{
	struct swap s = swap_sockets();
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
