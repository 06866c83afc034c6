// kind: attack
// A thread swaps the socket behind the fd while listen(2) is under way.
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
	sockets = swap_sockets();
	thread(flip, NULL);
	listen_swapped(&sockets);
	_exit(0);
}
