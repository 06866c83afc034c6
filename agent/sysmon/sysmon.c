#include "sysmon.h"

#include <sys/prctl.h>

static int inherited;

// Before Go's runtime starts.
__attribute__((constructor)) static void enlarge(void)
{
	inherited = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
	prctl(PR_SET_TIMERSLACK, SYSMON_SLACK, 0, 0, 0);
}

void sysmon_restore(void) { prctl(PR_SET_TIMERSLACK, inherited, 0, 0, 0); }
