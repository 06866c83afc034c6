/*
 * kind: behaviour
 * expect cli-root before 5.12: 3
 * expect cli-user before 5.12: 3
 * expect runc before 5.12: 3
 *
 * A client of an AF_UNIX listener with one thread asks for the pid of the listener
 * (SO_PEERCRED).
 *
 * Bare kernel: the client gets the pid of the process that called listen(2).
 *
 * port-restricter: the same, because the kernel runs the call itself if it is proved
 * that no other task shares the listener's file table. The proof fails while the
 * machine creates processes, and a helper makes the call then. So the probe tries
 * again for a while.
 */
#include "probe.h"

int main(void)
{
	for (double end = now() + at_most(15); now() < end; usleep(20000))
		if (peer_of_listener().pid == getpid())
			return 0;
	WRONG("SO_PEERCRED never names process %d as the listener", getpid());
}
