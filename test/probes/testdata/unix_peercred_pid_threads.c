// kind: behaviour
// expect cli-root: 3 for several threads a helper process makes the call, and the kernel notes its pid
// expect cli-user: 3
// expect runc: 3
// The process id a client sees, of a listener with several threads.
#include "probe.h"

int main(void)
{
	thread(idle, NULL);
	int fd = sock(AF_UNIX, SOCK_STREAM, 0), client = sock(AF_UNIX, SOCK_STREAM, 0);
	WORKS(bind_unix(fd, "./socket-for-peercred"));
	WORKS(listen(fd, 1));
	union addr a;
	socklen_t length = unix_addr(&a, "./socket-for-peercred");
	WORKS(connect(client, &a.any, length));
	struct ucred peer = {0};
	socklen_t size = sizeof peer;
	WORKS(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size));
	if (peer.pid != getpid())
		WRONG("the listener is said to be process %d, not %d", peer.pid, getpid());
}
