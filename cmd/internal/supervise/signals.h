#include <stdint.h>

// signals_catch writes the siginfo of each signal of the set into the pipe. Bit n-1 is signal n.
int signals_catch(uint64_t set, int pipe);
