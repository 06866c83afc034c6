/* landlock(7), by raw system calls, since the C library has no functions for them. */
#ifndef LANDLOCK_H
#define LANDLOCK_H
#include "probe.h"

/* LANDLOCK_ACCESS_FS_MAKE_SOCK and LANDLOCK_ACCESS_NET_BIND_TCP */
enum { MAKE_SOCK = 1 << 9, BIND_TCP = 1 << 0 };

/*
 * From here on this thread, and every task that it creates, may not use the access rights in
 * files and network. Needs Linux 6.7, which has network rules (version 4 of Landlock).
 */
static inline void landlock_refuses(uint64_t files, uint64_t network)
{
	uint64_t ruleset[] = {files, network};
	int abi = syscall(444, NULL, 0, 1); /* landlock_create_ruleset */
	if (abi < 4)
		NOT_APPLICABLE("Landlock has no network rules: version %d, needs 4 (Linux 6.7)", abi);
	int fd = MUST(syscall(444, ruleset, sizeof ruleset, 0));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(syscall(446, fd, 0)); /* landlock_restrict_self */
	close(fd);
}

#endif
