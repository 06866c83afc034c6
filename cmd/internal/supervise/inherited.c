#define _GNU_SOURCE
#include "inherited.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

struct inherited inherited;

/* Constructors run before Go's runtime starts. */
__attribute__((constructor)) static void remember(void)
{
	sigset_t blocked;
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int sig = 1; sig <= 64; sig++) {
		struct sigaction old;
		/* glibc refuses to look at its own signals 32 and 33. Go leaves those as they are. */
		if (sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			inherited.ignored |= 1ULL << (sig - 1);
		if (sigismember(&blocked, sig) == 1)
			inherited.blocked |= 1ULL << (sig - 1);
	}
	getrlimit(RLIMIT_NOFILE, &inherited.files);
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			inherited.closed |= 1U << fd;
}

void inherited_restore(void)
{
	sigset_t blocked;
	for (int fd = 0; fd < 3; fd++)
		if (inherited.closed & 1U << fd)
			close(fd);
	setrlimit(RLIMIT_NOFILE, &inherited.files);
	sigemptyset(&blocked);
	for (int sig = 1; sig <= 64; sig++) {
		uint64_t bit = 1ULL << (sig - 1);
		signal(sig, inherited.ignored & bit ? SIG_IGN : SIG_DFL);
		if (inherited.blocked & bit)
			sigaddset(&blocked, sig);
	}
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}
