/*
 * kind: attack
 *
 * A forked child and the child's child bind.
 *
 * Bare kernel: both can bind the forbidden port.
 *
 * port-restricter: both can bind the allowed port, and are refused the forbidden one
 * with EPERM.
 */
#include "probe.h"

int main(void)
{
	CHILD(only_allowed(); CHILD(only_allowed()));
}
