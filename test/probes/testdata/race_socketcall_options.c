/*
 * kind: attack
 * arch: i386
 *
 * The arguments of socketcall(2) are in memory. Another process changes the option
 * from a harmless one to IP_LOCAL_PORT_RANGE (Linux 6.3) while setsockopt(2) is in
 * progress.
 *
 * Bare kernel: the range is set, and sendto(2) binds its port.
 *
 * port-restricter: the arguments are copied once, and the option in the copy is
 * checked and set.
 */
#include "probe.h"

enum { HARMLESS = 1 }; /* IP_TOS */

int main(void)
{
	needs_port_ranges();
	struct { uint32_t value; volatile long block[5]; } *b = shared(sizeof *b);
	b->value = RANGE(41005, 41005);
	if (child() == 0)
		for (;;) {
			b->block[2] = HARMLESS;
			b->block[2] = IP_LOCAL_PORT_RANGE;
		}
	union addr a = loopback(AF_INET, 9);
	/* About once in a run the kernel chooses that port by itself, so a few hits prove nothing. */
	int hits = 0;
	FOR_A_WHILE {
		int fd = sock(AF_INET, SOCK_DGRAM, 0);
		b->block[0] = fd;
		b->block[1] = IPPROTO_IP;
		b->block[3] = (long)&b->value;
		b->block[4] = sizeof b->value;
		syscall(SYS_socketcall, 14, b->block);
		MUST(sendto(fd, "", 1, 0, &a.any, sizeof a.in));
		if (port_of(fd) == 41005 && ++hits == 10)
			BROKEN("sendto bound %d sockets to port 41005", hits);
		close(fd);
	}
	_exit(0);
}
