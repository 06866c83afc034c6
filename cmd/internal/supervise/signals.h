#ifndef PORT_RESTRICTER_SIGNALS_H
#define PORT_RESTRICTER_SIGNALS_H

#include <stdint.h>

/*
 * Makes each signal of the set write its siginfo into the pipe, except those that the
 * supervisor was started with as ignored, which stay ignored. Unblocks the signals on
 * the calling thread. Bit n-1 of the set is signal n. Returns 0 or an errno.
 */
int signals_catch(uint64_t set, int pipe);

/*
 * Ends this process by a signal, with no core dump. It returns if that is impossible, as
 * for the first process of a pid namespace.
 */
void signals_die_of(int sig);

#endif
