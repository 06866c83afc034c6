#include <stdint.h>
#include <sys/resource.h>

// What we were started with, and Go's runtime has overwritten by the time that main runs. Sets of signals have bit n-1 for
// signal n, as in /proc/PID/status.
struct inherited {
	uint64_t ignored, blocked;
	struct rlimit files;
	uint32_t closed; // of the descriptors 0, 1, 2, where the runtime opens /dev/null: bit n is descriptor n
};
extern struct inherited inherited;

// inherited_restore is for a fork that will exec: raw system calls, no lock.
void inherited_restore(void);
