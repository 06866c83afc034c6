/*
 * kind: attack
 *
 * A process whose root directory has no /proc binds.
 *
 * Bare kernel: it can bind the forbidden port.
 *
 * port-restricter: it can bind the allowed port, and is refused the forbidden one with
 * EPERM.
 */
#include "probe.h"

int main(void)
{
	MUST(mkdir("root", 0755));
	if (chroot("root") < 0) {
		MUST(unshare(CLONE_NEWUSER));
		MUST(chroot("root"));
	}
	only_allowed();
}
