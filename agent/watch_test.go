package agent

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
)

// The watch recalls a worker whose session is silent, and then stops itself.
func TestASilentSessionHoldsNoWorker(t *testing.T) {
	supervisor, _, bind := startServed(t)
	defer supervisor.Close()
	for range 3 {
		require.NoError(t, bind())
		require.Eventually(t, func() bool {
			return supervisor.busy.Load() == 0 && !supervisor.watched.Load()
		}, time.Minute, time.Millisecond)
	}
}

// A recall can come at any moment of a wait for a notification: before the worker is
// in the kernel, too.
func TestAWorkerIsRecalledWhereverItIs(t *testing.T) {
	loaded, done := make(chan int), make(chan struct{})
	go func() {
		fd, _ := loadBindFilter()
		loaded <- fd
		<-done
	}()
	defer close(done)
	kernel, err := newNotifyFD(<-loaded)
	require.NoError(t, err)
	defer unix.Close(int(kernel))
	workers, results := make(chan *worker), make(chan error)
	go func() {
		runtime.LockOSThread()
		w := newWorker(nil, new(handover.Slot), false)
		workers <- w
		for range 1000 {
			results <- kernel.receive(w.n)
		}
	}()
	w := <-workers
	for range 1000 {
		var result error
		require.Eventually(t, func() bool {
			w.recall()
			select {
			case result = <-results:
				return true
			default:
				return false
			}
		}, time.Minute, 10*time.Microsecond)
		require.Equal(t, errRecalled, result)
	}
}
