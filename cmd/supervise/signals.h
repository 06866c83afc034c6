#include <stdint.h>

// Sets of signals: bit n-1 is signal n, as in /proc/PID/status.
struct inherited {
	uint64_t ignored, blocked;
	uint32_t closed; // of the descriptors 0, 1, 2: bit n is descriptor n
};
extern struct inherited inherited;

int signals_catch(uint64_t set, int pipe);
void signals_reset(uint64_t set, uint64_t ignored);
void signals_block(uint64_t set);
