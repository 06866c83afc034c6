package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// All sessions of a container share one bound on calls in flight. The sessions that
// exceed it are parked, and each call that ends lets in the next session that has a
// notification.
func TestCallsInFlightAreBoundedForAContainer(t *testing.T) {
	// Readable, as a notify fd is while a notification waits.
	busy := func() int {
		fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	idle, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(idle) })
	container, armed, parked := new(container), map[string]int{}, 0
	newOne := func(name string, fd int) *session {
		return &session{notifyFD: fd, container: container, arm: func(events uint32) {
			if events != 0 {
				armed[name]++
			} else {
				parked++
			}
		}}
	}
	first, exec := newOne("first", busy()), newOne("exec", busy())
	silent, late := newOne("silent", idle), newOne("late", busy())
	for range inFlightLimit {
		require.True(t, first.enter())
	}
	require.False(t, silent.enter())
	require.False(t, exec.enter(), "the session of an exec'd process got a share of its own")
	require.False(t, late.enter())
	require.True(t, container.calls.crowded())
	require.Equal(t, 3, parked, "the end of a parked session would not be noticed")

	first.leave()
	require.Equal(t, map[string]int{"silent": 1, "exec": 1}, armed,
		"a call that ended did not let in the sessions up to the first with a notification")
	require.True(t, exec.enter())
	late.hangUp()
	first.leave()
	require.NotContains(t, armed, "late")
	require.False(t, container.calls.crowded())
}

// The last worker to leave must wake every parked session. The notification of the
// session that is woken first may be withdrawn, and then no worker enters that could
// wake the next session.
func TestTheLastWorkerLeavesNobodyParked(t *testing.T) {
	asks, err := unix.Eventfd(1, unix.EFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(asks)
	container, armed := new(container), 0
	s := &session{notifyFD: asks, container: container, arm: func(events uint32) {
		if events != 0 {
			armed++
		}
	}}
	for range inFlightLimit {
		require.True(t, s.enter())
	}
	for range 3 {
		require.False(t, s.enter())
	}
	s.leave()
	require.Equal(t, 1, armed)
	for range inFlightLimit - 1 {
		s.leave()
	}
	require.Equal(t, 3, armed)
	require.False(t, container.calls.crowded())
}
