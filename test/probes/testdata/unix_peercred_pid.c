// kind: behaviour
// The process id a client sees, of a listener with one thread. The proof that
// nobody shares its fds fails while the machine makes processes, so try again.
#include "probe.h"

static pid_t listener(void)
{
	int fd = sock(AF_UNIX, SOCK_STREAM, 0), client = sock(AF_UNIX, SOCK_STREAM, 0);
	union addr a;
	socklen_t length = unix_addr(&a, "./socket-for-peercred");
	WORKS(bind(fd, &a.any, length));
	WORKS(listen(fd, 1));
	WORKS(connect(client, &a.any, length));
	MUST(unlink("./socket-for-peercred"));
	struct ucred peer = {0};
	socklen_t size = sizeof peer;
	WORKS(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size));
	close(fd);
	close(client);
	return peer.pid;
}

int main(void)
{
	for (double end = now() + 15; now() < end; usleep(20000))
		if (listener() == getpid())
			return 0;
	WRONG("the listener is never said to be process %d", getpid());
}
