#ifndef PORT_RESTRICTER_INHERITED_H
#define PORT_RESTRICTER_INHERITED_H

#include <stdint.h>
#include <sys/resource.h>

/*
 * What the supervisor was started with. Go's runtime has changed all of it by the time
 * that main runs. Sets of signals have bit n-1 for signal n, as in /proc/PID/status.
 */
struct inherited {
	uint64_t ignored;    /* signals */
	uint64_t blocked;    /* signals */
	struct rlimit files; /* RLIMIT_NOFILE */
	uint32_t closed;     /* bit n: fd n was closed; for 0, 1 and 2, where Go opens /dev/null */
};
extern struct inherited inherited;

/*
 * Gives this process back what it was started with. To be called in a forked child that
 * will exec: it makes system calls only, and takes no lock.
 */
void inherited_restore(void);

#endif
