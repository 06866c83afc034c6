/*
 * kind: attack
 *
 * A thread with a file table of its own changes the address family in the sockaddr
 * from AF_INET to AF_UNIX and back, while the main thread binds an AF_UNIX and an
 * internet socket in turn. No task shares the main thread's file table, so the
 * supervisor may let the kernel run the call on the AF_UNIX socket.
 *
 * Bare kernel: the internet socket is bound to the forbidden port.
 *
 * port-restricter: the kernel runs the call only on a socket of another family, which
 * never gets an internet port, whatever its address becomes.
 */
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
	struct swap s = swap_sockets(SOCK_DGRAM);
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
