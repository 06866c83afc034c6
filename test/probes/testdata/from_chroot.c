// kind: attack
// A root directory without a /proc.
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
