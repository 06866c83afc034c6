/* landlock(7), by raw calls: the C library has no names for them. */
#ifndef LANDLOCK_H
#define LANDLOCK_H
#include "probe.h"

enum { MAKE_SOCK = 1 << 9, BIND_TCP = 1 << 0 };

/* From here on the thread, and what it starts, may do none of these. */
static inline void landlock_refuses(uint64_t files, uint64_t network)
{
	uint64_t ruleset[] = {files, network};
	int abi = syscall(444, NULL, 0, 1); /* landlock_create_ruleset */
	if (abi < 4)
		NOT_APPLICABLE("no Landlock network rules: version %d", abi);
	int fd = MUST(syscall(444, ruleset, sizeof ruleset, 0));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(syscall(446, fd, 0)); /* landlock_restrict_self */
	close(fd);
}

#endif
