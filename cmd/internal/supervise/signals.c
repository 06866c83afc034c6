#define _GNU_SOURCE
#include "signals.h"
#include "inherited.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* os/signal is of no use here: it does not pass on si_code. */

static int caught; /* the pipe */

static void handler(int sig, siginfo_t *info, void *context)
{
	int saved = errno;
	/* A full pipe loses the signal, as a full queue in the kernel would. */
	if (write(caught, info, sizeof *info)) {}
	errno = saved;
}

int signals_catch(uint64_t set, int pipe)
{
	sigset_t unblocked;
	sigemptyset(&unblocked);
	caught = pipe;
	for (int sig = 1; sig <= 64; sig++) {
		uint64_t bit = 1ULL << (sig - 1);
		if (!(set & bit))
			continue;
		/* Without SA_ONSTACK, the handler could run on the small stack of a goroutine. */
		struct sigaction act = {
			.sa_sigaction = handler,
			.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
		};
		if (inherited.ignored & bit)
			act = (struct sigaction){.sa_handler = SIG_IGN};
		sigfillset(&act.sa_mask);
		if (sigaction(sig, &act, NULL))
			return errno;
		sigaddset(&unblocked, sig);
	}
	return pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL);
}

void signals_die_of(int sig)
{
	sigset_t unblocked;
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	signal(sig, SIG_DFL);
	sigemptyset(&unblocked);
	sigaddset(&unblocked, sig);
	pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL);
	raise(sig);
}
