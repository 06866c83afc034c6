// Package sysmon makes the monitor thread of Go's runtime wake rarely, and give way to others.
//
// The monitor looks for threads whose system calls keep other goroutines from
// running. It looks every 20 µs for as long as it finds a thread, and a supervisor
// always has a thread that waits in the kernel. Each look disturbs the two threads
// of a bind, the worker and the target. The monitor's timer goes off on their CPU
// and wakes the monitor on another CPU. That CPU, when it becomes idle again, pulls
// one of the two threads over.
//
// The kernel may end a sleep late by the timer slack (PR_SET_TIMERSLACK, prctl(2)), so this
// package gives the monitor a large slack, and the policy SCHED_BATCH (GiveWay). The monitor is the
// first thread that Go creates, by pthread_create(3). The package wraps that function. The same
// wrapper waits where no thread can be created (WaitForThreads). All threads have one malloc arena.
package sysmon

// #cgo LDFLAGS: -lpthread -Wl,--wrap=pthread_create
// #include "sysmon.h"
import "C"

import "time"

// GiveWay makes the monitor give way to other threads. In a process that began without a seccomp
// filter, it does so already; the filter of a sandbox may end the process for it.
func GiveWay() { C.let_others_go_first() }

// Slack bounds how late the monitor wakes. If every thread that may run Go code
// (GOMAXPROCS) is in a system call, a ready goroutine waits for two looks of the
// monitor, each up to Slack late. Even without slack, the looks are up to 10 ms apart.
const Slack = C.SYSMON_SLACK * time.Nanosecond
