package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
)

// A signal that comes between the bind and its answer makes the target bind again.
// The second bind gets the result of the first, as from the bare kernel. The bind of
// another thread is its own.
func TestARestartedBindSeesTheResultOfTheFirstOnce(t *testing.T) {
	target := &fakeTarget{
		memory: ipv4(unix.AF_INET, 0), onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM),
	}
	s, kernel := newFakeSession(t, "0", target)
	// The notification is valid when it is inspected, and withdrawn when it is answered.
	withdrawing := &withdrawOnRespond{fakeNotifier: kernel, id: 1}
	s.notifier = withdrawing
	s.handle(bindNotification(1, 16), &workspace{neutral: true})
	s.handle(bindNotification(2, 16), &workspace{neutral: true})
	s.handle(ofAnotherThread(bindNotification(3, 16)), &workspace{neutral: true})
	require.Equal(t, []response{{ID: 1}, {ID: 2}, {ID: 3, Error: -int32(unix.EINVAL)}},
		kernel.answers)
}

func ofAnotherThread(n *notification) *notification {
	n.PID++
	return n
}

// A bind to another address is not the restarted one. It fails, as the socket is
// bound.
func TestAnOrphanSpeaksForItsOwnAddressOnly(t *testing.T) {
	target := &fakeTarget{
		memory: ipv4(unix.AF_INET, 0), onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM),
	}
	s, kernel := newFakeSession(t, "0", target)
	s.notifier = &withdrawOnRespond{fakeNotifier: kernel, id: 1}
	s.handle(bindNotification(1, 16), &workspace{neutral: true})
	target.memory = ipv4(unix.AF_INET, 0, 127, 0, 0, 1)
	s.handle(bindNotification(2, 16), &workspace{neutral: true})
	require.Equal(t, -int32(unix.EINVAL), kernel.answers[1].Error)
}

// The helper has bound the socket to a path. If the kernel then ran the restarted
// bind, it would fail because the file of that path exists.
func TestARestartedBindIsNotRunNativelyOnceAHelperDidIt(t *testing.T) {
	target := &fakeTarget{
		memory: make([]byte, 20), onSocket: socketOf(t, unix.AF_UNIX, unix.SOCK_STREAM),
	}
	s, kernel := newFakeSession(t, "0", target)
	s.notifier = &withdrawOnRespond{fakeNotifier: kernel, id: 1}
	s.handle(bindNotification(1, 20), &workspace{neutral: true})
	target.ownsTable = true
	s.handle(bindNotification(2, 20), &workspace{neutral: true})
	s.handle(ofAnotherThread(bindNotification(3, 20)), &workspace{neutral: true})
	require.Equal(t, []response{{ID: 1}, {ID: 2}, {ID: 3, Flags: respondContinue}}, kernel.answers)
}

// The kernel took the answer to the second bind, but the thread had turned to a signal. The
// thread binds again, and again. A thread that got no signal, or has made another call since,
// binds a second time of its own accord: EINVAL.
func TestALostAnswerIsGivenAgainToAThreadThatGetsSignals(t *testing.T) {
	target := &fakeTarget{
		memory: ipv4(unix.AF_INET, 0), onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM),
	}
	s, kernel := newFakeSession(t, "0", target)
	kernel.withdrawn[1] = true
	s.handle(bindNotification(1, 16), &workspace{neutral: true})
	s.handle(bindNotification(2, 16), &workspace{neutral: true})
	s.handle(bindNotification(3, 16), &workspace{neutral: true})
	s.handle(ofAnotherThread(bindNotification(4, 16)), &workspace{neutral: true})
	s.handle(bindNotification(5, 4), &workspace{neutral: true}) // EINVAL: the sockaddr is short
	s.handle(bindNotification(6, 16), &workspace{neutral: true})
	refused := -int32(unix.EINVAL)
	require.Equal(t, []response{
		{ID: 2}, {ID: 3}, {ID: 4, Error: refused}, {ID: 5, Error: refused}, {ID: 6, Error: refused},
	}, kernel.answers[1:])
}

// A target can make the supervisor remember binds without end.
func TestOrphansAreBounded(t *testing.T) {
	var o orphans
	for n := range uint64(10 * orphanLimit) {
		o.calledAway(uint32(n), true, n, nil)
	}
	require.Len(t, o.binds, orphanLimit)
	require.Len(t, o.inStorm, orphanLimit)
}

// A successor finds the orphans of its predecessor in the memory.
func TestOrphansAreLeftToASuccessor(t *testing.T) {
	memory, err := handover.NewPrivate()
	require.NoError(t, err)
	o := orphans{memory: memory, session: 5}
	for n := range uint64(2 * orphanLimit) {
		o.remember(n+1, orphan{asked: "a", inode: 3})
	}
	require.Len(t, memory.Left(), orphanLimit)
	for cookie := range o.binds {
		_, ok := o.claim(1, cookie, []byte("a"))
		require.True(t, ok)
		break
	}
	left := memory.Left()
	require.Len(t, left, orphanLimit-1)
	require.EqualValues(t, 5, left[0].Session())
	_, inode, asked, ok := left[0].Acted()
	require.True(t, ok && inode == 3 && string(asked) == "a")
	o.close()
	require.Empty(t, memory.Left())
}
