/*
 * kind: attack
 *
 * bind(2) to port 0 lets the kernel choose a port, so the port need not be the allowed
 * one.
 *
 * Bare kernel: binds a port of its choice.
 *
 * port-restricter: EPERM, and nothing is bound.
 */
#include "probe.h"

int main(void)
{
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	refused(fd, bind_port(fd, 0));
}
