package agent

import (
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// startServed returns an engine, what it logs, and a bind of a thread that it
// serves.
func startServed(t *testing.T) (*Engine, *logtest.Hook, func() error) {
	t.Helper()
	log, logged := logtest.NewNullLogger()
	engine, err := NewEngine(log, func(*specs.ContainerProcessState) (config.Policy, error) { return config.New("0", "", "") })
	require.NoError(t, err)
	loaded, binds, answers := make(chan int), make(chan struct{}), make(chan error)
	go func() {
		fd, _ := loadBindFilter()
		loaded <- fd
		for range binds {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				err = l.Close()
			}
			answers <- err
		}
	}()
	t.Cleanup(func() { close(binds) })
	fd := <-loaded
	require.NotEqual(t, -1, fd)
	require.NoError(t, engine.Attach(&specs.ContainerProcessState{State: specs.State{ID: t.Name()}}, fd))
	return engine, logged, func() error { binds <- struct{}{}; return <-answers }
}

func TestASilentSessionHoldsNoWorker(t *testing.T) {
	engine, _, bind := startServed(t)
	defer engine.Close()
	for range 3 {
		require.NoError(t, bind())
		require.Eventually(t, func() bool { return engine.busy.Load() == 0 && !engine.watched.Load() }, time.Minute, time.Millisecond)
	}
}

func TestAnEngineThatClosesDoesNotWaitForTheNextCall(t *testing.T) {
	engine, logged, bind := startServed(t)
	require.NoError(t, bind()) // a worker waits for another one
	engine.Close()
	for _, entry := range logged.AllEntries() {
		require.Less(t, logrus.WarnLevel, entry.Level, entry.Message)
	}
}

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
		w := &worker{tid: unix.Gettid()}
		workers <- w
		for range 1000 {
			results <- kernel.receive(&w.n)
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
