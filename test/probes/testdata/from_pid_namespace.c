/*
 * kind: attack
 *
 * The first process of a new pid namespace binds, and so does its child. Both are in a
 * new user namespace. Their process ids are not those that the supervisor sees.
 *
 * Bare kernel: both can bind the forbidden port.
 *
 * port-restricter: both can bind the allowed port, and are refused the forbidden one
 * with EPERM.
 */
#include "probe.h"

int main(void)
{
	MUST(unshare(CLONE_NEWUSER | CLONE_NEWPID));
	CHILD(only_allowed(); CHILD(only_allowed()));
}
