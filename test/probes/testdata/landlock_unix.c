// kind: behaviour
// expect cli-root: 3 can't be closed: a helper makes the socket, outside of the program's Landlock domain
// expect cli-user: 3 can't be closed: a helper makes the socket, outside of the program's Landlock domain
// expect runc: 3 can't be closed: a helper makes the socket, outside of the program's Landlock domain
// expect podman: 3 can't be closed: a helper makes the socket, outside of the program's Landlock domain
// expect podman-userns: 3 can't be closed: a helper makes the socket, outside of the program's Landlock domain
// A program of several threads that forbade itself by Landlock to make sockets.
#include "landlock.h"

int main(void)
{
	landlock_refuses(MAKE_SOCK, 0);
	thread(idle, NULL);
	FAILS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), "a-long-enough-path"), EACCES);
}
