// kind: attack
// A thread with an fd table of its own changes the address under a task whose fds nobody shares.
#include "probe.h"

static union addr a;

static void *flip(void *arg)
{
	MUST(unshare(CLONE_FILES));
	for (;;) {
		a.in.sin_family = AF_UNIX;
		a.in.sin_family = AF_INET;
	}
	return arg;
}

int main(void)
{
	struct swap s = swap_sockets();
	a = loopback(AF_INET, FORBIDDEN);
	thread(flip, NULL);
	usleep(1000);
	FOR_A_WHILE {
		bind(s.unix_fd, &a.any, sizeof a.in);
		bind(s.inet_fd, &a.any, sizeof a.in);
		no_harm(s.inet_fd);
	}
	_exit(0);
}
