/*
 * kind: attack
 *
 * bind(2) of an IPv4 socket accepts AF_UNSPEC with the address INADDR_ANY as AF_INET.
 *
 * Bare kernel: binds the forbidden port.
 *
 * port-restricter: the address is parsed as the kernel parses it. The call fails with
 * EPERM.
 */
#include "probe.h"

int main(void)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
	for (int i = 0; i < 2; i++) {
		int fd = sock(AF_INET, types[i], 0);
		union addr a = {.in = {.sin_family = AF_UNSPEC, .sin_port = htons(FORBIDDEN)}};
		refused(fd, bind(fd, &a.any, sizeof a.in));
	}
}
