package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A signal that comes between the bind and its answer makes the target bind again.
// The second bind gets the result of the first, as from the bare kernel. The third
// bind is the target's own.
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
	s.handle(bindNotification(3, 16), &workspace{neutral: true})
	require.Equal(t, []response{{ID: 1}, {ID: 2}, {ID: 3, Error: -int32(unix.EINVAL)}},
		kernel.answers)
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
	s.handle(bindNotification(3, 20), &workspace{neutral: true})
	require.Equal(t, []response{{ID: 1}, {ID: 2}, {ID: 3, Flags: respondContinue}}, kernel.answers)
}

// A target can make the supervisor remember binds without end.
func TestOrphansAreBounded(t *testing.T) {
	var o orphans
	for cookie := range uint64(10 * orphanLimit) {
		o.remember(cookie, orphan{})
	}
	require.Len(t, o.binds, orphanLimit)
}
