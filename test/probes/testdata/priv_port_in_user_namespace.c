/*
 * kind: behaviour
 * ports: 80
 *
 * A process in a user namespace of its own binds port 80. The owner of a user
 * namespace has every capability in it, but none over a network namespace outside.
 *
 * Bare kernel and port-restricter: EACCES, for one thread and for two.
 */
#include "probe.h"

int main(void)
{
	MUST(unshare(CLONE_NEWUSER));
	FAILS(bind_port(sock(AF_INET, SOCK_STREAM, 0), 80), EACCES);
	thread(idle, NULL);
	FAILS(bind_port(sock(AF_INET, SOCK_STREAM, 0), 80), EACCES);
}
