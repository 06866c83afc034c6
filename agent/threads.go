package agent

import (
	"os"
	"runtime"
	"time"
)

// processors are those that Go found, before makeRoom.
var processors = runtime.GOMAXPROCS(0)

// makeRoom lets threads run Go code while the workers that stay with a session
// wait in the kernel: each of these counts as one that runs until Go's monitor
// has looked, which package sysmon makes late.
func makeRoom() { runtime.GOMAXPROCS(processors + hotLimit) }

// idleAfter is when a burst of containers is taken for over.
const idleAfter = time.Second

// trimThreads ends OS threads that a burst left behind: Go starts one whenever
// all others are in a system call, and keeps it.
func trimThreads() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for range len(tasks) - (2*processors + 8) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runtime.LockOSThread() // a thread that a goroutine ends with locked ends, too
		}()
		<-ended
	}
}
