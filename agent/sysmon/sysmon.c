#include "sysmon.h"

#include <pthread.h>
#include <sys/prctl.h>

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

// The monitor makes threads, too, which are to have the slack of all others.
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	static int slack_of_others, monitored;
	int own = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	if (own < 0) /* a sandbox, or more than an int can tell */
		return __real_pthread_create(thread, attributes, start, argument);
	if (!monitored)
		slack_of_others = own;
	prctl(PR_SET_TIMERSLACK, monitored ? slack_of_others : SYSMON_SLACK, 0, 0, 0);
	int error = __real_pthread_create(thread, attributes, start, argument);
	prctl(PR_SET_TIMERSLACK, own, 0, 0, 0);
	monitored |= !error;
	return error;
}
