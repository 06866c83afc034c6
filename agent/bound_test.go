package agent

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// A container can bind sockets without end. What is remembered of them is bounded, and
// the sockets by which it listens are not forgotten for it.
func TestBoundSocketsAreBounded(t *testing.T) {
	var b boundSockets
	at := netip.MustParseAddrPort("0.0.0.0:5000")
	b.remember(1, at)
	b.listens(1)
	for cookie := uint64(2); cookie < 10*boundLimit; cookie++ {
		b.remember(cookie, at)
	}
	require.Len(t, b.addresses, boundLimit+1)
	for cookie, known := range map[uint64]bool{1: true, 2: false, 10*boundLimit - 1: true} {
		_, ok := b.address(cookie)
		require.Equal(t, known, ok, "%d", cookie)
	}
	for cookie := uint64(20 * boundLimit); cookie < 30*boundLimit; cookie++ {
		b.remember(cookie, at)
		b.listens(cookie)
	}
	require.LessOrEqual(t, len(b.addresses), 2*boundLimit)
	_, ok := b.address(1)
	require.False(t, ok)
}

func TestRememberingABindAllocatesNothingAtTheLimit(t *testing.T) {
	var b boundSockets
	at := netip.MustParseAddrPort("0.0.0.0:5000")
	cookie := uint64(1)
	for ; cookie < 4*boundLimit; cookie++ {
		b.remember(cookie, at)
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() { cookie++; b.remember(cookie, at) }))
}
