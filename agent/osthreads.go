package agent

import (
	"os"
	"runtime"
	"time"
)

// processors is GOMAXPROCS before raiseMaxProcs.
var processors = runtime.GOMAXPROCS(0)

// raiseMaxProcs lets other threads run Go code while so many workers, which stay with a
// session, wait in the kernel. Each of those counts as running until Go's monitor
// thread has looked, which package sysmon delays.
func raiseMaxProcs(workers int) { runtime.GOMAXPROCS(processors + workers) }

// idleAfter is how long after the last container a burst of containers is over.
const idleAfter = time.Second

// trimThreads ends OS threads that a burst left behind. Go starts one whenever all
// others are in a system call, and keeps it.
func trimThreads() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for range len(tasks) - (2*processors + 8) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runtime.LockOSThread() // the thread ends with a goroutine that is locked to it
		}()
		<-ended
	}
}
