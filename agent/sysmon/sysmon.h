#ifndef PORT_RESTRICTER_SYSMON_H
#define PORT_RESTRICTER_SYSMON_H

/* The timer slack of Go's monitor thread, in nanoseconds. */
enum { SYSMON_SLACK = 4000000 };

#endif
