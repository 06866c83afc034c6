package agent

import (
	"os"
	"runtime"
	"time"
)

// idleAfter is when a burst of containers is taken for over.
const idleAfter = time.Second

// trimThreads ends OS threads that a burst left behind: Go starts one whenever
// all others are in a system call, and keeps it.
func trimThreads() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for range len(tasks) - (2*runtime.GOMAXPROCS(0) + 8) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runtime.LockOSThread() // a thread that a goroutine ends with locked ends, too
		}()
		<-ended
	}
}
