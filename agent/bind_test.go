package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// A worker that may own the target's user namespace has every capability there, so
// the helper must bind a low port with the target's capabilities. The port that is
// bound counts, not the port that the target asked for.
func TestTheHelperBindsALowPortThatAHighOneIsRewrittenTo(t *testing.T) {
	target := &fakeTarget{
		memory:   ipv4(unix.AF_INET, 8080, 127, 0, 0, 1),
		onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM), otherUserNS: true,
		helperErr: unix.EACCES,
	}
	s, kernel := newFakeSession(t, "80", target)
	policy, err := config.ParsePolicy(config.Texts{Ports: "80", Map: "8080:80"})
	require.NoError(t, err)
	s.policy.Store(&policy)
	s.handle(bindNotification(1, 16), &workspace{neutral: false})
	require.Equal(t, ipv4(unix.AF_INET, 80, 127, 0, 0, 1), target.helperGot)
	require.Equal(t, []response{{ID: 1, Error: -int32(unix.EACCES)}}, kernel.answers)
}

// If the kernel ran the bind, it would read the sockaddr again, which may have been
// changed after it was checked.
func TestAnInternetBindIsNeverAnsweredByContinue(t *testing.T) {
	for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
		target := &fakeTarget{
			memory: ipv4(unix.AF_INET, 0), ownsTable: true,
			onSocket: socketOf(t, unix.AF_INET, typ),
		}
		s, kernel := newFakeSession(t, "0", target)
		s.handle(bindNotification(1, 16), &workspace{neutral: true})
		require.Equal(t, []response{{ID: 1}}, kernel.answers)
	}
}
