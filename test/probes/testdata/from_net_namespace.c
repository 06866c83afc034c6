/*
 * kind: attack
 *
 * A process binds in a network namespace that it made for itself.
 *
 * Bare kernel: it can bind the forbidden port there.
 *
 * port-restricter: it can bind the allowed port there, and is refused the forbidden
 * one with EPERM.
 */
#include "probe.h"

int main(void)
{
	enter_net_namespace();
	only_allowed();
}
