/*
 * kind: attack
 *
 * SCTP can bind by setsockopt(2) as well (SCTP_SOCKOPT_BINDX_ADD).
 *
 * Bare kernel: binds the forbidden port.
 *
 * port-restricter: the filter refuses the option with EPERM.
 */
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	union addr a = loopback(AF_INET, FORBIDDEN);
	refused(fd, setsockopt(fd, IPPROTO_SCTP, 100 /* SCTP_SOCKOPT_BINDX_ADD */, &a, sizeof a.in));
}
