package agent

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// A container's last process can end while workers hold duplicates of its sockets.
// Closing a duplicate is then the last close of the socket, and lingers for as long
// as the target asked for. The workers must be freed all the same.
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
			// Made once all targets run: no target must inherit a copy of a socket.
			sockets := make(chan int, calls)
			for range calls {
				sockets <- lingeringSocket(t)
			}
			fake := &fakeTarget{onSocket: func() (int, error) { return <-sockets, nil }}
			var sessions []*session
			for _, fd := range fds {
				record := handover.Record{Container: t.Name()}
				s, err := openSession(fd, record, config.Policy{}, quietLog())
				require.NoError(t, err)
				s.open = func(*target.Cache, uint32) (targetThread, error) { return fake, nil }
				require.NoError(t, supervisor.add(s))
				require.NoError(t, supervisor.arm(fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN))
				sessions = append(sessions, s)
			}
			require.Eventually(t, func() bool {
				return len(sockets) <= max(0, calls-inFlightLimit) && supervisor.busy.Load() == 0
			}, time.Minute, time.Millisecond)
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

// lingeringSocket returns a socket whose last close waits for a peer that never
// reads.
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
	// A small buffer: a large one would start a garbage collection, for which Go signals
	// its threads.
	for full := make([]byte, 64<<10); err == nil; {
		_, err = conn.Write(full)
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	file, err := conn.(*net.TCPConn).File()
	require.NoError(t, err)
	defer file.Close()
	socket, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.SetsockoptLinger(socket, unix.SOL_SOCKET, unix.SO_LINGER,
		&unix.Linger{Onoff: 1, Linger: 1 << 20}))
	return socket
}
