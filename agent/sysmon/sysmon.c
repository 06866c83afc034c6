#define _GNU_SOURCE
#include "sysmon.h"

#include <sched.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread int is_monitor, is_batch;
static int slack_of_others; /* negative if it is not known: a sandbox refused to say, for example */

static void *(*start_monitor)(void *);
static void *monitors_argument;

/* struct sched_attr of sched_setattr(2), which glibc has since 2.41. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/*
 * After a silence, a worker that returns from the kernel wakes the monitor. A batch thread does not
 * take the CPU from the worker then, and with a long slice of time (Linux 6.12) it does not run
 * before the target that the worker answers. Threads that the monitor creates have the usual slice,
 * and a niceness of 0 at least: so a monitor with less is left as it is.
 */
static void let_others_go_first(void)
{
	struct scheduling s = {0};
	if (syscall(SYS_sched_getattr, 0, &s, sizeof s, 0) < 0 || s.policy != SCHED_OTHER || s.nice < 0)
		return;
	s.policy = SCHED_BATCH;
	s.flags = 1; /* SCHED_FLAG_RESET_ON_FORK */
	s.runtime = SYSMON_SLICE;
	is_batch = syscall(SYS_sched_setattr, 0, &s, 0) == 0;
}

/* Makes the monitor like other threads, or late and batch again. */
static void differ(int from_others)
{
	static const struct sched_param none;
	if (slack_of_others >= 0)
		prctl(PR_SET_TIMERSLACK, from_others ? SYSMON_SLACK : slack_of_others, 0, 0, 0);
	if (is_batch)
		sched_setscheduler(0, (from_others ? SCHED_BATCH : SCHED_OTHER) | SCHED_RESET_ON_FORK, &none);
}

static void *monitor(void *unused)
{
	is_monitor = 1;
	slack_of_others = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	if (slack_of_others >= 0)
		prctl(PR_SET_TIMERSLACK, SYSMON_SLACK, 0, 0, 0);
	let_others_go_first();
	return start_monitor(monitors_argument);
}

/*
 * The linker makes every call of pthread_create(3) in the program call this function (--wrap). The
 * first thread that it creates is Go's monitor. The monitor creates threads too, which are like all
 * others.
 */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*start)(void *), void *argument)
{
	if (!start_monitor) {
		start_monitor = start;
		monitors_argument = argument;
		start = monitor;
	}
	if (is_monitor)
		differ(0);
	int error = create_thread(thread, attributes, start, argument);
	if (is_monitor)
		differ(1);
	return error;
}
