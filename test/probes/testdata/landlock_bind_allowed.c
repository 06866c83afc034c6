// kind: behaviour
// expect cli-root: 3 can't be closed: the engine binds, and stands outside of the program's Landlock domain
// expect cli-user: 3 can't be closed: the engine binds, and stands outside of the program's Landlock domain
// expect runc: 3 can't be closed: the engine binds, and stands outside of the program's Landlock domain
// expect podman: 3 can't be closed: the engine binds, and stands outside of the program's Landlock domain
// expect podman-userns: 3 can't be closed: the engine binds, and stands outside of the program's Landlock domain
// A program that forbade itself by Landlock to bind TCP ports, and asks for one that the policy allows.
#include "landlock.h"

int main(void)
{
	landlock_refuses(0, BIND_TCP);
	int fd = sock(AF_INET, SOCK_STREAM, 0);
	if (bind_port(fd, ALLOWED) == 0)
		WRONG("Landlock's rule was not asked");
	if (errno != EACCES)
		SETUP("bind: %m");
}
