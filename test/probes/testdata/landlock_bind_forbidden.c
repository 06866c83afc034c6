/*
 * kind: behaviour
 *
 * A program forbids itself by Landlock (network rules, Linux 6.7) to bind TCP ports,
 * then binds a port that the policy does not permit.
 *
 * Bare kernel: Landlock refuses the bind with EACCES.
 *
 * port-restricter: the bind is refused as well, by Landlock (EACCES) or by the policy
 * (EPERM).
 */
#include "landlock.h"

int main(void)
{
	landlock_refuses(0, BIND_TCP);
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	if (bind_port(fd, FORBIDDEN) == 0)
		WRONG("bound to port %d", port_of(fd));
	if (errno != EACCES && errno != EPERM) /* refused by Landlock, or by the policy */
		WRONG("bind: %m; expected EACCES or EPERM");
}
