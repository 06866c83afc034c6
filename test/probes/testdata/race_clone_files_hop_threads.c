/*
 * kind: attack
 *
 * As race_clone_files_hop_bind, but the swapper hops from thread to thread of a process
 * with many others, so that the one that a supervisor has listed has ended when it is looked
 * at. Now and then it stays, so that a scan meets a moment in which no task is created.
 *
 * Bare kernel: the internet socket is bound to the forbidden port.
 *
 * port-restricter: what a scan finds of a process counts only if no task was created
 * meanwhile, and none of its threads ended. The forbidden port is never bound.
 */
#include "probe.h"

enum { STACKS = 64, SIZE = 32768, DECOYS = 150 };

static char stacks[STACKS][SIZE] __attribute__((aligned(64)));
static struct swap sockets;
static double end;
static unsigned hops;
static volatile int decoys;
static volatile struct { int ready, over; } *state;

static int hop(void *arg);

static void start(void)
{
	const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			  CLONE_SYSVSEM;
	MUST(clone(hop, stacks[++hops % STACKS] + SIZE, flags, NULL));
}

static int hop(void *arg)
{
	if (hops % 40 == 0)
		for (double stay = now() + 0.002 + rand() % 10 / 1000.0; now() < stay;)
			swap_once(&sockets);
	for (int i = rand() % 200; i > 0; i--)
		swap_once(&sockets);
	if (now() < end)
		start();
	else
		state->over = 1;
	syscall(SYS_exit, 0);
	return arg != NULL;
}

static void *decoy(void *arg)
{
	MUST(unshare(CLONE_FILES));
	__sync_fetch_and_add(&decoys, 1);
	return idle(arg);
}

int main(void)
{
	state = shared(sizeof *state);
	sockets = swap_sockets(SOCK_DGRAM);
	pid_t caller = MUST(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
	if (caller == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		union addr a = loopback(AF_INET, FORBIDDEN);
		while (!state->ready)
			usleep(200);
		while (!state->over) {
			bind(SWAPPED, &a.any, sizeof a.in);
			no_harm(sockets.inet_fd);
		}
		_exit(0);
	}
	for (int i = 0; i < DECOYS; i++)
		thread(decoy, NULL);
	while (decoys < DECOYS)
		usleep(200);
	end = now() + 2.5;
	start();
	MUST(unshare(CLONE_FILES));
	state->ready = 1;
	_exit(status_of(caller));
}
