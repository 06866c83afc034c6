// kind: behaviour
// expect runc: 0|3 runc 1.1 takes no WAIT_KILLABLE_RECV: an answer in some 100,000 is lost to a signal that comes with it
// A pathname socket in a storm, bound by a helper for several threads: who was
// told EINTR asks again, and doesn't find the file of the first call in the way.
#include "probe.h"

int main(void)
{
	thread(idle, NULL);
	storm(0, 5000);
	FOR_A_WHILE {
		int fd = sock(AF_UNIX, SOCK_STREAM, 0), result;
		unlink("./socket-in-a-storm");
		while ((result = bind_unix(fd, "./socket-in-a-storm")) < 0 && errno == EINTR)
			;
		WORKS(result);
		while ((result = listen(fd, 1)) < 0 && errno == EINTR)
			;
		WORKS(result);
		close(fd);
	}
	_exit(0);
}
