#include <malloc.h>

/*
 * glibc makes a heap (an arena) for each thread that calls malloc(3) or free(3), and cgo's start of a
 * thread calls both: six system calls and the first touch of two pages, which nobody uses. Go has a
 * heap of its own, and the C code here needs none. So all threads have one arena.
 */
#ifdef M_ARENA_MAX
__attribute__((constructor)) static void have_one_arena(void) { mallopt(M_ARENA_MAX, 1); }
#endif
