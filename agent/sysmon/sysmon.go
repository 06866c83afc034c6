// Package sysmon has the monitor thread of Go's runtime wake rarely.
//
// That thread looks every 20 µs for threads in a system call that keep others
// from running, for as long as it finds some; and an engine always has one that
// waits in the kernel. Each look disturbs the thread that serves a bind and the
// one that asked: its timer goes off on their CPU, it is woken on another one,
// and that, on its way back to idle, takes one of the two over.
//
// A sleep ends late by as much as the thread's timer slack, PR_SET_TIMERSLACK of
// prctl(2). A thread has the slack of the one that made it, at that moment; and
// the monitor is the first that Go makes, by pthread_create(3).
package sysmon

// #cgo LDFLAGS: -lpthread -Wl,--wrap=pthread_create
// #include "sysmon.h"
import "C"

import "time"

// Slack is how late the monitor can wake. A goroutine waits for it while all
// threads that may run Go code (GOMAXPROCS) are in system calls: for two looks,
// which by themselves are up to 10 ms apart.
const Slack = C.SYSMON_SLACK * time.Nanosecond
