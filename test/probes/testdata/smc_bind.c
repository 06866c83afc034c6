/*
 * kind: attack
 *
 * bind(2) of an AF_SMC socket (Linux 4.11) binds the TCP port of its fallback socket.
 *
 * Bare kernel: binds the forbidden port.
 *
 * port-restricter: decided as for TCP. EPERM, and nothing is bound.
 */
#include "probe.h"

int main(void)
{
	int fd = sock(43 /* AF_SMC */, SOCK_STREAM, 0);
	union addr a = loopback(AF_INET, FORBIDDEN);
	refused(fd, bind(fd, &a.any, sizeof a.in));
}
