package agent

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// startServed returns an supervisor, what it logs, and a bind of a thread that it
// serves.
func startServed(t *testing.T) (*Supervisor, *logtest.Hook, func() error) {
	t.Helper()
	log, logged := logtest.NewNullLogger()
	supervisor, err := NewSupervisor(log, func(*specs.ContainerProcessState) (config.Policy, error) { return config.ParsePolicy("0", "", "") })
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
	require.NoError(t, supervisor.Attach(&specs.ContainerProcessState{State: specs.State{ID: t.Name()}}, fd))
	return supervisor, logged, func() error { binds <- struct{}{}; return <-answers }
}

func TestASilentSessionHoldsNoWorker(t *testing.T) {
	supervisor, _, bind := startServed(t)
	defer supervisor.Close()
	for range 3 {
		require.NoError(t, bind())
		require.Eventually(t, func() bool { return supervisor.busy.Load() == 0 && !supervisor.watched.Load() }, time.Minute, time.Millisecond)
	}
}

func TestASupervisorThatClosesDoesNotWaitForTheNextCall(t *testing.T) {
	supervisor, logged, bind := startServed(t)
	require.NoError(t, bind()) // a worker waits for another one
	supervisor.Close()
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

// A container's last process can end while we hold its socket. Our close is the
// last one then, and lingers, for as long as the target asked for.
func TestASessionThatEndedHoldsNoWorker(t *testing.T) {
	supervisor, err := NewSupervisor(quietLog(), nil)
	require.NoError(t, err)
	defer supervisor.Close()
	for _, calls := range []int{1, inFlightLimit, inFlightLimit + 1} {
		t.Run(fmt.Sprint(calls), func(t *testing.T) {
			var targets []*os.Process
			var fds []int
			for range calls {
				process, fd := startTarget(t)
				targets, fds = append(targets, process), append(fds, fd)
			}
			sockets := make(chan int, calls)
			for range calls { // of which the targets, while they start, are to have no copy
				sockets <- lingeringSocket(t)
			}
			fake := &fakeTarget{onSocket: func() (int, error) { return <-sockets, nil }}
			var sessions []*session
			for _, fd := range fds {
				s, err := newSession(fd, t.Name(), config.Policy{}, quietLog())
				require.NoError(t, err)
				s.open = func(*target.Cache, uint32) (targetThread, error) { return fake, nil }
				require.NoError(t, supervisor.add(s))
				require.NoError(t, supervisor.arm(fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN))
				sessions = append(sessions, s)
			}
			require.Eventually(t, func() bool { return len(sockets) <= max(0, calls-inFlightLimit) && supervisor.busy.Load() == 0 }, time.Minute, time.Millisecond)
			for _, target := range targets {
				require.NoError(t, target.Kill())
				_, err := target.Wait()
				require.NoError(t, err)
			}
			for _, s := range sessions {
				require.Eventually(t, s.ended, time.Minute, time.Millisecond)
			}
			require.Eventually(t, func() bool {
				supervisor.mu.Lock()
				defer supervisor.mu.Unlock()
				return len(supervisor.sessions) == 0 && len(supervisor.containers) == 0
			}, time.Minute, time.Millisecond)
		})
	}
}

// lingeringSocket is one whose last close waits for a peer that never reads.
func lingeringSocket(t *testing.T) int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	peer, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { peer.Close() })
	require.NoError(t, conn.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
	for full := make([]byte, 64<<10); err == nil; { // not much at once: Go signals its threads to collect garbage
		_, err = conn.Write(full)
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	file, err := conn.(*net.TCPConn).File()
	require.NoError(t, err)
	defer file.Close()
	socket, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.SetsockoptLinger(socket, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 1 << 20}))
	return socket
}

func TestTheEndOfASessionIsNoticedWhileItIsParked(t *testing.T) {
	supervisor, err := NewSupervisor(quietLog(), nil)
	require.NoError(t, err)
	defer supervisor.Close()
	target, fd := startTarget(t)
	s, err := newSession(fd, t.Name(), config.Policy{}, quietLog())
	require.NoError(t, err)
	require.NoError(t, supervisor.add(s))
	for range inFlightLimit { // calls of other sessions of the container, which block
		require.True(t, s.calls.enter(nil))
	}
	require.NoError(t, supervisor.arm(fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN))
	require.Eventually(t, s.calls.crowded, time.Minute, time.Millisecond)
	require.NoError(t, target.Kill())
	_, err = target.Wait()
	require.NoError(t, err)
	require.Eventually(t, s.ended, time.Minute, time.Millisecond)
	for range inFlightLimit {
		s.calls.leave()
	}
}
