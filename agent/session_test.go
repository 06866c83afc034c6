package agent

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/config"
)

func TestASessionAnswersEPERMForWhatIsNotAllowed(t *testing.T) {
	const amd64, i386 = unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386
	for _, c := range []struct {
		name string
		n    *notification
	}{
		{"forbidden port", bindNotification(1, 16)},
		{"a system call about which the filter never notifies",
			&notification{ID: 1, PID: 42, Arch: amd64, NR: 1}},
		{"an unknown architecture",
			&notification{ID: 1, PID: 42, Arch: 77, NR: 49}},
		{"an unknown socketcall",
			&notification{ID: 1, PID: 42, Arch: i386, NR: 102, Args: [6]uint64{3}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, kernel := newFakeSession(t, "1", &fakeTarget{
				memory:   ipv4(unix.AF_INET, freePort(t, unix.SOCK_STREAM)),
				onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM),
			})
			s.handle(c.n, &workspace{neutral: true})
			require.Equal(t, []response{{ID: 1, Error: -int32(unix.EPERM)}}, kernel.answers)
		})
	}
}

// Nor does the log of an allowed bind, at a level that does not print it.
func TestAnAllowedBindAllocatesNothing(t *testing.T) {
	port := freePort(t, unix.SOCK_DGRAM)
	s, kernel := newFakeSession(t, fmt.Sprint(port), &fakeTarget{
		memory: ipv4(unix.AF_INET, port, 127, 0, 0, 1),
		onSocket: func() (int, error) {
			return unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		},
	})
	kernel.answers = make([]response, 0, 1000)
	n, space := bindNotification(1, 16), &workspace{neutral: true}
	require.Zero(t, testing.AllocsPerRun(200, func() { s.handle(n, space) }))
	require.Equal(t, response{ID: 1}, kernel.answers[0])
}

// A container can provoke refusals without end. Those that exceed the limit of the
// log must cost nothing.
func TestARefusalAllocatesNothing(t *testing.T) {
	s, kernel := newFakeSession(t, "1", &fakeTarget{
		memory: ipv4(unix.AF_INET, 5000, 127, 0, 0, 1),
		onSocket: func() (int, error) {
			return unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		},
	})
	kernel.answers = make([]response, 0, 1000)
	n, space := bindNotification(1, 16), &workspace{neutral: true}
	for range 2 { // the first one is logged
		s.handle(n, space)
	}
	require.Zero(t, testing.AllocsPerRun(200, func() { s.handle(n, space) }))
	require.Equal(t, response{ID: 1, Error: -int32(unix.EPERM)}, kernel.answers[0])
}

// A signal to a worker can keep the kernel from looking at the notify fd. It then reports EPOLLERR,
// which says nothing about the session.
func TestASessionOutlivesALookThatASignalEnded(t *testing.T) {
	supervisor, err := NewSupervisor(quietLog(), nil)
	require.NoError(t, err)
	defer supervisor.Close()
	broken, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	s := &session{
		notifyFD: broken, notifier: &fakeNotifier{},
		audit: newAudit(quietLog(), "c1", config.Identity{}),
	}
	require.NoError(t, supervisor.add(s))
	again := make(chan uint32, 1)
	s.mu.Lock()
	s.arm = func(events uint32) { again <- events }
	s.mu.Unlock()
	port := int(freePort(t, unix.SOCK_DGRAM))
	nobody := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	require.NoError(t, unix.Connect(broken, nobody))
	_, err = unix.Write(broken, []byte{0}) // the answer is an error, which epoll reports
	require.NoError(t, err)
	require.NoError(t, supervisor.arm(broken, unix.EPOLL_CTL_ADD, unix.EPOLLIN))
	select {
	case events := <-again:
		require.Equal(t, uint32(unix.EPOLLIN), events)
	case <-time.After(time.Minute):
		t.Fatal("nobody watches the session any more")
	}
	require.Equal(t, s, supervisor.sessionOf(int32(broken)))
	require.False(t, s.ended())
}

// The same for a parked session: only its end is watched on. Once it is unparked, somebody else
// watches it, and a second receiver would block.
func TestAParkedSessionOutlivesALookThatASignalEnded(t *testing.T) {
	asks, err := unix.Eventfd(1, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(asks)
	var armed []uint32
	s := &session{notifyFD: asks, container: new(container)}
	s.arm = func(events uint32) { armed = append(armed, events) }
	for range inFlightLimit {
		require.True(t, s.enter())
	}
	require.False(t, s.enter())
	s.watchOn(0)
	s.leave()
	s.watchOn(0)
	require.Equal(t, []uint32{0, 0, unix.EPOLLIN}, armed)
}

// No worker enters a parked session, so the end of its last process must reach the
// supervisor in another way.
func TestTheEndOfASessionIsNoticedWhileItIsParked(t *testing.T) {
	supervisor, err := NewSupervisor(quietLog(), nil)
	require.NoError(t, err)
	defer supervisor.Close()
	target, fd := startTarget(t)
	s, err := openSession(fd, handover.Record{Container: t.Name()}, config.Policy{}, quietLog())
	require.NoError(t, err)
	require.NoError(t, supervisor.add(s))
	for range inFlightLimit { // calls of the container's other sessions, which block
		require.True(t, s.container.calls.enter(nil))
	}
	require.NoError(t, supervisor.arm(fd, unix.EPOLL_CTL_ADD, unix.EPOLLIN))
	require.Eventually(t, s.container.calls.crowded, time.Minute, time.Millisecond)
	require.NoError(t, target.Kill())
	_, err = target.Wait()
	require.NoError(t, err)
	require.Eventually(t, s.ended, time.Minute, time.Millisecond)
	for range inFlightLimit {
		s.container.calls.leave()
	}
}
