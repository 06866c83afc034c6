// kind: attack
// The first process of a pid namespace, in a user namespace of its own.
#include "probe.h"

int main(void)
{
	MUST(unshare(CLONE_NEWUSER | CLONE_NEWPID));
	CHILD(only_allowed(); CHILD(only_allowed()));
}
