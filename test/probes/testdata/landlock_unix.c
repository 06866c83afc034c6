// kind: behaviour
// A single-threaded program that forbade itself by Landlock to make sockets: the kernel runs its bind.
#include "landlock.h"

int main(void)
{
	landlock_refuses(MAKE_SOCK, 0);
	FAILS(bind_unix(sock(AF_UNIX, SOCK_STREAM, 0), "a-long-enough-path"), EACCES);
}
