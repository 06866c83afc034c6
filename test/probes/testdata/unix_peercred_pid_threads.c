/*
 * kind: behaviour
 * expect cli-root: 3
 * expect cli-user: 3
 * expect runc: 3
 *
 * A process with two threads listens on an AF_UNIX socket; a client asks for its pid
 * (SO_PEERCRED).
 *
 * Bare kernel: the client gets the pid of the process that called listen(2).
 *
 * port-restricter: a helper makes the call for a process with several threads, and the
 * kernel notes the pid of the helper. The probe then ends with status 3. This cannot
 * be closed.
 */
#include "probe.h"

int main(void)
{
	thread(idle, NULL);
	struct ucred peer = peer_of_listener();
	if (peer.pid != getpid())
		WRONG("SO_PEERCRED names process %d as the listener, not %d", peer.pid, getpid());
}
