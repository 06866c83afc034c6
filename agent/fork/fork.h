#ifndef PORT_RESTRICTER_FORK_H
#define PORT_RESTRICTER_FORK_H

#include <sys/types.h>

/*
 * Starts a child that calls run(argument) with every signal blocked and exits when run
 * returns. flags are those of clone(2), with the exit signal in the lowest byte; CLONE_VM
 * only with CLONE_VFORK. Returns the child's pid, or -errno, and its pidfd, which the child
 * finds there, too.
 */
pid_t fork_and_run(int flags, void (*run)(void *), void *argument, int *pidfd);

#endif
