/*
 * kind: behaviour
 * expect cli-root before 5.12: 3
 * expect cli-user before 5.12: 3
 * expect runc before 5.12: 3
 *
 * As unix_peercred_pid, while another process creates a thousand processes a second.
 *
 * Bare kernel: the client gets the pid of the process that called listen(2).
 *
 * port-restricter: the same. A scan for sharers of the file table does not look again at what
 * it has cleared, and so fits between two forks. It needs a CPU for that time, which a busy
 * machine may not give it, and an emulated one seldom does: some of the pids may be those of
 * helpers.
 */
#include "probe.h"

static int empty(void *arg)
{
	(void)arg;
	return 0;
}

__attribute__((noreturn)) static void create_processes(void)
{
	static char stack[16384] __attribute__((aligned(16)));
	for (;;) {
		pid_t pid = MUST(clone(empty, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, 0));
		MUST(waitpid(pid, NULL, 0));
		usleep(at_most(1000));
	}
}

int main(void)
{
	pid_t creator = child();
	if (!creator)
		create_processes();
	/* A listener takes half a second on a machine that is busy enough. */
	int emulated = at_most(1) > 1, listeners = 0, exact = 0;
	for (double end = now() + at_most(8); listeners < (emulated ? 10 : 50) && now() < end;
	     listeners++, usleep(2000))
		exact += peer_of_listener().pid == getpid();
	kill(creator, SIGKILL);
	if (exact < (emulated ? 1 : listeners * 3 / 5))
		WRONG("SO_PEERCRED named process %d as only %d of %d listeners",
		      getpid(), exact, listeners);
	_exit(0);
}
