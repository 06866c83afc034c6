#include "sysmon.h"

#include <sys/prctl.h>

/*
 * The linker makes every call of pthread_create(3) in the program call this
 * function (--wrap). The first thread that it creates is Go's monitor, which gets
 * the slack SYSMON_SLACK. The monitor creates threads too. They get the slack of
 * all other threads, not the monitor's.
 */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*start)(void *), void *argument)
{
	static int slack_of_others, monitored;
	int own = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	if (own < 0) /* a sandbox refused the call, or the slack is larger than an int */
		return create_thread(thread, attributes, start, argument);
	if (!monitored)
		slack_of_others = own;
	prctl(PR_SET_TIMERSLACK, monitored ? slack_of_others : SYSMON_SLACK, 0, 0, 0);
	int error = create_thread(thread, attributes, start, argument);
	prctl(PR_SET_TIMERSLACK, own, 0, 0, 0);
	monitored |= !error;
	return error;
}
