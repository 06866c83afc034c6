// kind: attack
// A second thread.
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
