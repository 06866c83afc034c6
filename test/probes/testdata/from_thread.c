/*
 * kind: attack
 *
 * The second thread of a process binds.
 *
 * Bare kernel: it can bind the forbidden port.
 *
 * port-restricter: it can bind the allowed port, and is refused the forbidden one with
 * EPERM.
 */
#include "probe.h"

static void *run(void *arg)
{
	only_allowed();
	return arg;
}

int main(void)
{
	pthread_join(thread(run, NULL), NULL);
}
