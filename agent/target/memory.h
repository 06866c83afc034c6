#ifndef PORT_RESTRICTER_MEMORY_H
#define PORT_RESTRICTER_MEMORY_H

/*
 * Unmaps all memory of this process, a fork of a Go program, but its programs, their data, and the
 * stack and the thread-local variables of the calling thread. Allocates nothing. Returns 0, or the
 * errno with which /proc/self/maps could not be read.
 */
int give_back_memory(void);

#endif
