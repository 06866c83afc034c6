// kind: behaviour
// A program that forbade itself by Landlock to bind TCP ports gains none that the policy does not allow.
#include "landlock.h"

int main(void)
{
	landlock_refuses(0, BIND_TCP);
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	if (bind_port(fd, FORBIDDEN) == 0)
		WRONG("bound to port %d", port_of(fd));
	if (errno != EACCES && errno != EPERM) /* Landlock's no, or ours */
		WRONG("bind: %m");
}
