// kind: attack
// A 64-bit process enters by the door of 32-bit ones.
#include "probe.h"

static long int80(long nr, long a, long b, long c, long d, long e)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result)
			 : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory", "r8", "r9", "r10", "r11");
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return 0;
}

/* A static program's data stands below 4 GiB. */
static union addr a;
static uint32_t block[5], range = RANGE(41003, 41003);

int main(void)
{
	a = loopback(AF_INET, FORBIDDEN);
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	refused(fd, int80(361, fd, (long)&a, sizeof a.in, 0, 0)); /* bind */
	refused(fd, int80(363, fd, 1, 0, 0, 0));                  /* listen */
	block[0] = fd, block[1] = (long)&a, block[2] = sizeof a.in;
	refused(fd, int80(102, 2, (long)block, 0, 0, 0)); /* socketcall: bind */
	block[1] = 1;
	refused(fd, int80(102, 4, (long)block, 0, 0, 0)); /* socketcall: listen */
	int udp = sock(AF_INET, SOCK_DGRAM, 0);
	refused(udp, int80(366, udp, IPPROTO_IP, IP_LOCAL_PORT_RANGE, (long)&range, sizeof range)); /* setsockopt */
}
