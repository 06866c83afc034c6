/*
 * kind: attack
 *
 * The attack swaps the socket behind an fd while bind(2) is in progress: see
 * swap_sockets in probe.h. The swapper is a second thread.
 *
 * Bare kernel: the internet socket is bound to the forbidden port.
 *
 * port-restricter: the supervisor binds its duplicate of the socket that it has
 * checked, whatever the fd means by then. The forbidden port is never bound.
 */
#include "probe.h"

static struct swap sockets;

static void *flip(void *arg)
{
	for (;;)
		swap_once(&sockets);
	return arg;
}

int main(void)
{
	sockets = swap_sockets(SOCK_DGRAM);
	thread(flip, NULL);
	bind_swapped(&sockets);
	_exit(0);
}
