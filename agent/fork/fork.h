#ifndef PORT_RESTRICTER_FORK_H
#define PORT_RESTRICTER_FORK_H

#include <sys/types.h>

/*
 * Forks a child that calls run(argument) with every signal blocked and exits
 * when run returns. flags are those of clone(2), with the exit signal in the
 * lowest byte. Returns the child's pid, or -errno, and its pidfd.
 */
pid_t fork_and_run(unsigned long flags, void (*run)(void *), void *argument, int *pidfd);

#endif
