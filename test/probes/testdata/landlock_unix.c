/*
 * kind: behaviour
 * expect cli-root: 3
 * expect cli-user: 3
 * expect runc: 3
 * expect podman: 3
 * expect podman-userns: 3
 *
 * A program with two threads forbids itself by Landlock to make socket files, then
 * binds an AF_UNIX socket to a path. (The probe asks for a Landlock with network
 * rules, Linux 6.7, as the other Landlock probes do.)
 *
 * Bare kernel: Landlock refuses the bind with EACCES.
 *
 * port-restricter: the bind works, so the probe ends with status 3. This cannot be
 * closed: for a process with two threads a helper makes the call, and the helper is
 * outside of the program's Landlock domain.
 */
#include "landlock.h"

int main(void)
{
	landlock_refuses(MAKE_SOCK, 0);
	thread(idle, NULL);
	FAILS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), "a-long-enough-path"), EACCES);
}
