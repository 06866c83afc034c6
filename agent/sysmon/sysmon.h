#ifndef PORT_RESTRICTER_SYSMON_H
#define PORT_RESTRICTER_SYSMON_H

#include <pthread.h>

/* The timer slack of Go's monitor thread, in nanoseconds. */
enum { SYSMON_SLACK = 4000000 };

/* The slice of time that the monitor asks the kernel for, in nanoseconds: the longest there is. */
enum { SYSMON_SLICE = 100000000 };

/*
 * Makes the monitor give way to other threads, as it does from the beginning in a process without a
 * seccomp filter.
 */
void let_others_go_first(void);

/* Makes create_thread wait, from now on, until a thread can be created. */
void wait_for_threads(void);

/* pthread_create(3), which waits if wait_for_threads was called. */
int create_thread(pthread_t *thread, const pthread_attr_t *attributes,
	void *(*start)(void *), void *argument);

#endif
