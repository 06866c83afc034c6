// What has to happen outside Go: looking before its runtime has overwritten what we were started with, and a handler
// that is told si_code, which os/signal keeps to itself.
#define _GNU_SOURCE
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

struct inherited inherited;

static uint64_t bit(int sig) { return 1ULL << (sig - 1); }

__attribute__((constructor)) static void remember(void) {
	sigset_t blocked;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int sig = 1; sig <= 64; sig++) {
		struct sigaction old;
		// glibc refuses to tell about its own 32 and 33; nobody changes those here either.
		if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			inherited.ignored |= bit(sig);
		if (sigismember(&blocked, sig) == 1)
			inherited.blocked |= bit(sig);
	}
	for (int fd = 0; fd < 3; fd++) // the Go runtime opens /dev/null there
		if (fcntl(fd, F_GETFD) < 0)
			inherited.closed |= 1U << fd;
}

static int caught;

static void handler(int sig, siginfo_t *info, void *context) {
	int saved = errno;
	// A full pipe loses the signal, as a full queue in the kernel would.
	if (write(caught, info, sizeof *info)) {}
	errno = saved;
}

int signals_catch(uint64_t set, int pipe) {
	sigset_t unblocked;
	sigemptyset(&unblocked);
	caught = pipe;
	for (int sig = 1; sig <= 64; sig++) {
		if (!(set & bit(sig)))
			continue;
		// SA_ONSTACK: the handler may run on a goroutine's small stack otherwise.
		struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
		if (inherited.ignored & bit(sig))
			act = (struct sigaction){.sa_handler = SIG_IGN};
		sigfillset(&act.sa_mask);
		if (sigaction(sig, &act, NULL))
			return errno;
		sigaddset(&unblocked, sig);
	}
	return pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL);
}

void signals_reset(uint64_t set, uint64_t ignored) {
	for (int sig = 1; sig <= 64; sig++)
		if (set & bit(sig))
			signal(sig, ignored & bit(sig) ? SIG_IGN : SIG_DFL);
}

void signals_block(uint64_t set) {
	sigset_t blocked;
	sigemptyset(&blocked);
	for (int sig = 1; sig <= 64; sig++)
		if (set & bit(sig))
			sigaddset(&blocked, sig);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
}
