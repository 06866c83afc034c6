/*
 * kind: attack
 *
 * The attack swaps the socket behind an fd while listen(2) is in progress: see
 * swap_sockets in probe.h. The swapper is a second thread.
 *
 * Bare kernel: the internet socket listens at a port of the kernel's choice.
 *
 * port-restricter: the supervisor acts on its duplicate of the socket that it has
 * checked, whatever the fd means by then. The internet socket never listens.
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
	sockets = swap_sockets(SOCK_STREAM);
	thread(flip, NULL);
	listen_swapped(&sockets);
	_exit(0);
}
