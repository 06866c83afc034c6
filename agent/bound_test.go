package agent

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A container can bind sockets without end. What is remembered of them is bounded, and
// the sockets by which it listens are not forgotten for it.
func TestBoundSocketsAreBounded(t *testing.T) {
	var b boundSockets
	at := netip.MustParseAddrPort("0.0.0.0:5000")
	b.remember(socketID{cookie: 1}, at)
	b.listens(socketID{cookie: 1})
	for cookie := uint64(2); cookie < 10*boundLimit; cookie++ {
		b.remember(socketID{cookie: cookie}, at)
	}
	require.Len(t, b.sockets, boundLimit+1)
	for cookie, known := range map[uint64]bool{1: true, 2: false, 10*boundLimit - 1: true} {
		_, ok := b.take(socketID{cookie: cookie})
		require.Equal(t, known, ok, "%d", cookie)
	}
	for cookie := uint64(20 * boundLimit); cookie < 30*boundLimit; cookie++ {
		b.remember(socketID{cookie: cookie}, at)
		b.listens(socketID{cookie: cookie})
	}
	require.LessOrEqual(t, len(b.sockets), 2*boundLimit)
	_, ok := b.take(socketID{cookie: 1})
	require.False(t, ok)
}

func TestRememberingABindAllocatesNothingAtTheLimit(t *testing.T) {
	var b boundSockets
	at := netip.MustParseAddrPort("0.0.0.0:5000")
	cookie := uint64(1)
	for ; cookie < 4*boundLimit; cookie++ {
		b.remember(socketID{cookie: cookie}, at)
	}
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		cookie++
		b.remember(socketID{cookie: cookie}, at)
	}))
}

// The id of a socket that is not TCP serves once, and for a while: its cookie can be that
// of other sockets, and its inode becomes that of another one in the end.
func TestAnIDWithAnInodeIsUsedUp(t *testing.T) {
	var b boundSockets
	at := netip.MustParseAddrPort("0.0.0.0:5000")
	id, other := socketID{cookie: 1, inode: 2}, socketID{cookie: 1, inode: 3}
	b.remember(id, at)
	_, ok := b.take(other)
	require.False(t, ok)
	_, ok = b.take(id)
	require.True(t, ok)
	_, ok = b.take(id)
	require.False(t, ok)

	b.remember(id, at)
	late := b.sockets[id]
	late.until = time.Now()
	b.sockets[id] = late
	_, ok = b.take(id)
	require.False(t, ok)
	require.Empty(t, b.sockets)
}
