package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The kernel binds an internet socket whatever family the sockaddr claims, so the
// family must not decide how the call is handled.
func TestTheSocketDecidesNotTheSockaddr(t *testing.T) {
	forbidden := freePort(t, unix.SOCK_STREAM)
	for _, family := range []uint16{unix.AF_INET, unix.AF_UNSPEC, unix.AF_UNIX, unix.AF_INET6} {
		s, kernel := newFakeSession(t, "1", &fakeTarget{
			memory:   ipv4(family, forbidden),
			onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM),
		})
		s.handle(bindNotification(1, 16), &workspace{neutral: true})
		require.Equal(t, -int32(unix.EPERM), kernel.answers[0].Error)
	}
}
