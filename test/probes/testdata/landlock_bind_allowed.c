/*
 * kind: behaviour
 * expect cli-root: 3
 * expect cli-user: 3
 * expect runc: 3
 * expect podman: 3
 * expect podman-userns: 3
 *
 * A program forbids itself by Landlock (network rules, Linux 6.7) to bind TCP ports,
 * then binds a port that the policy permits.
 *
 * Bare kernel: Landlock refuses the bind with EACCES.
 *
 * port-restricter: the bind works, so the probe ends with status 3. This cannot be
 * closed: the supervisor makes the bind, and the supervisor is outside of the
 * program's Landlock domain.
 */
#include "landlock.h"

int main(void)
{
	landlock_refuses(0, BIND_TCP);
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	if (bind_port(fd, ALLOWED) == 0)
		WRONG("the bind worked, in spite of the Landlock rule");
	if (errno != EACCES)
		SETUP("bind: %m; expected EACCES");
}
