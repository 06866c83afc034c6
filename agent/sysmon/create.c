#include "sysmon.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static volatile int waits;

void wait_for_threads(void)
{
	waits = 1;
}

/* Says so once for each time that threads can't be created. */
static void report(int error)
{
	static volatile int reported;
	static const char message[] =
		"port-restricter: can't create a thread, and waits until it can: the limit of "
		"processes is reached (TasksMax= of the unit, RLIMIT_NPROC, kernel.threads-max or "
		"kernel.pid_max), or there is no memory\n";
	if (error && !reported)
		(void)!write(2, message, sizeof message - 1);
	reported = error;
}

/*
 * pthread_create(3) fails by EAGAIN if there are too many processes, or no memory.
 * Go's runtime tries again for a fifth of a second, then aborts.
 */
int create_thread(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*start)(void *), void *argument)
{
	static const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	for (;;) {
		int error = __real_pthread_create(thread, attributes, start, argument);
		if (error != EAGAIN || !waits) {
			report(0);
			return error;
		}
		report(error);
		nanosleep(&pause, NULL);
	}
}
