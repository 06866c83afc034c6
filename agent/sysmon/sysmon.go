// Package sysmon has the monitor thread of Go's runtime wake rarely.
//
// That thread looks every 20 µs for threads in a system call that keep others
// from running, for as long as it finds some; and an engine has always one that
// waits in the kernel. Each time it disturbs the thread that serves a bind and
// the one that asked: the timer goes off on their CPU, the monitor is woken on
// another, which on its way back to idle takes one of the two away. A sleep ends
// late by as much as the thread's timer slack (PR_SET_TIMERSLACK, prctl(2)), and
// a thread has the slack of the one that made it: so the first thread begins
// with a large one, and takes its own again once the monitor is there.
package sysmon

// #include "sysmon.h"
import "C"

import (
	"runtime"
	"time"
)

// Slack is how late the monitor can wake: how long a goroutine can wait for a
// thread if all that Go has for it (GOMAXPROCS) are in system calls.
const Slack = C.SYSMON_SLACK * time.Nanosecond

// By now, Go has started the monitor; init runs on the first thread.
func init() { C.sysmon_restore() }

// BeforeExec binds the calling goroutine to its thread, and gives the thread the
// slack that we were started with: what it executes, or forks, takes it along.
func BeforeExec() {
	runtime.LockOSThread()
	C.sysmon_restore()
}
