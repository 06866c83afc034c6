/*
 * kind: attack
 * arch: x86
 *
 * A 64-bit process makes 32-bit system calls (int 0x80): bind, listen, socketcall and
 * setsockopt. Their numbers are those of i386. The numbers of bind, listen and
 * setsockopt exist there since Linux 4.3.
 *
 * Bare kernel: binds the forbidden port, and the port of an IP_LOCAL_PORT_RANGE (Linux
 * 6.3).
 *
 * port-restricter: the filter knows the i386 calls too. Each fails with EPERM.
 */
#include "probe.h"

static long int80(long nr, long a, long b, long c, long d, long e)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result)
			 : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r8", "r9", "r10", "r11");
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return 0;
}

/* The data of a static program is below 4 GiB, so a 32-bit register can hold its address. */
static union addr a;
static uint32_t block[5], range = RANGE(41003, 41003);

/* A kernel can be built, or started, without 32-bit system calls. Then int 0x80 is a fault. */
static void need_int80(void)
{
	pid_t pid = child();
	if (!pid)
		_exit(int80(20, 0, 0, 0, 0, 0) < 0); /* getpid */
	if (status_of(pid) == 128 + SIGSEGV)
		NOT_APPLICABLE("the kernel has no 32-bit system calls");
}

int main(void)
{
	need_int80();
	a = loopback(AF_INET, FORBIDDEN);
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	refused(fd, int80(361, fd, (long)&a, sizeof a.in, 0, 0)); /* bind */
	refused(fd, int80(363, fd, 1, 0, 0, 0));                  /* listen */
	block[0] = fd, block[1] = (long)&a, block[2] = sizeof a.in;
	refused(fd, int80(102, 2, (long)block, 0, 0, 0)); /* socketcall: bind */
	block[1] = 1;
	refused(fd, int80(102, 4, (long)block, 0, 0, 0)); /* socketcall: listen */
	int udp = sock(AF_INET, SOCK_DGRAM, 0);
	refused(udp, int80(366, udp, IPPROTO_IP, IP_LOCAL_PORT_RANGE, (long)&range,
			   sizeof range)); /* setsockopt */
}
