#define _GNU_SOURCE
#include "sysmon.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread int is_monitor;
static _Atomic pid_t monitors_tid; /* 0 until it runs */
static _Atomic int gives_way, monitor_is_batch;
static int slack_of_others; /* negative if it is not known: a sandbox refused to say, for example */

/* What a thread runs. */
struct routine {
	void *(*start)(void *);
	void *argument;
};

static struct routine of_monitor;

/* struct sched_attr of sched_setattr(2), which glibc has since 2.41. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int be_ordinary(void)
{
	static const struct sched_param none;
	return sched_setscheduler(0, SCHED_OTHER, &none);
}

/*
 * After a silence, a worker that returns from the kernel wakes the monitor. A batch thread does not
 * take the CPU from the worker then, and with a long slice of time it does not run before the target
 * that the worker answers. Before Linux 6.12 a thread can't ask for a slice, and nothing is changed.
 * Threads that the monitor creates have the usual slice, and a niceness of 0 at least: so a monitor
 * with less is left as it is. So is one in a sandbox that would not let those threads be ordinary
 * again.
 */
void let_others_go_first(void)
{
	struct scheduling s = {0};
	gives_way = 1;
	if (!monitors_tid) /* it will do so itself */
		return;
	if (syscall(SYS_sched_getattr, monitors_tid, &s, sizeof s, 0) < 0 || s.policy != SCHED_OTHER ||
	    s.nice < 0 || !s.runtime /* the kernel has no slices */ || be_ordinary() < 0)
		return;
	s.policy = SCHED_BATCH;
	s.flags = 1; /* SCHED_FLAG_RESET_ON_FORK */
	s.runtime = SYSMON_SLICE;
	monitor_is_batch = 1;
	syscall(SYS_sched_setattr, monitors_tid, &s, 0);
}

static void *monitor(void *unused)
{
	is_monitor = 1;
	monitors_tid = syscall(SYS_gettid);
	slack_of_others = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	if (slack_of_others >= 0)
		prctl(PR_SET_TIMERSLACK, SYSMON_SLACK, 0, 0, 0);
	/* A filter may end the process for it: SystemCallFilter=~@resources of systemd. */
	if (gives_way || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 0)
		let_others_go_first();
	return of_monitor.start(of_monitor.argument);
}

/* Runs in each thread that the monitor creates, which begins like the monitor. */
static void *ordinary(void *allocated)
{
	struct routine r = *(struct routine *)allocated;
	free(allocated);
	if (slack_of_others >= 0)
		prctl(PR_SET_TIMERSLACK, slack_of_others, 0, 0, 0);
	if (monitor_is_batch)
		be_ordinary();
	return r.start(r.argument);
}

/*
 * The linker makes every call of pthread_create(3) in the program call this function (--wrap). The
 * first thread that it creates is Go's monitor. The monitor creates threads too.
 */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*start)(void *), void *argument)
{
	struct routine r = {start, argument}, *copy = NULL;
	if (!of_monitor.start) {
		of_monitor = r;
		return create_thread(thread, attributes, monitor, NULL);
	}
	if (!is_monitor)
		return create_thread(thread, attributes, start, argument);
	if (!(copy = malloc(sizeof *copy)))
		return EAGAIN;
	*copy = r;
	int error = create_thread(thread, attributes, ordinary, copy);
	if (error)
		free(copy);
	return error;
}
