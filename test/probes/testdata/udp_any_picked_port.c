/*
 * kind: attack
 * expect cli-root: 1
 * expect cli-user: 1
 * expect runc: 1
 *
 * A UDP socket that sends without bind(2) gets a port that the kernel picks. The attack opens
 * sockets until one has the port that it wants, and receives a datagram there.
 *
 * Bare kernel and port-restricter: this takes a second for any port of ip_local_port_range.
 * It cannot be closed, since every client sends in this way. The sysctl ip_local_reserved_ports
 * takes ports out of the kernel's choice.
 */
#include "probe.h"

enum { WANTED = 51820 }; /* WireGuard's, in the default range from 32768 to 60999 */

int main(void)
{
	union addr to = loopback(AF_INET, 9), wanted = loopback(AF_INET, WANTED);
	double began = now();
	for (int tries = 1;; tries++) {
		int fd = sock(AF_INET, SOCK_DGRAM, 0);
		MUST(sendto(fd, "", 0, 0, &to.any, sizeof to.in));
		if (port_of(fd) == WANTED) {
			char byte = 0;
			int client = sock(AF_INET, SOCK_DGRAM, 0);
			MUST(sendto(client, "x", 1, 0, &wanted.any, sizeof wanted.in));
			MUST(recv(fd, &byte, 1, 0));
			BROKEN("received %c at port %d after %d tries, in %.1f s", byte, WANTED,
			       tries, now() - began);
		}
		close(fd);
	}
}
