package agent

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent/handover"
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
		_, _, ok := b.take(socketID{cookie: cookie}, false)
		require.Equal(t, known, ok, "%d", cookie)
	}
	for cookie := uint64(20 * boundLimit); cookie < 30*boundLimit; cookie++ {
		b.remember(socketID{cookie: cookie}, at)
		b.listens(socketID{cookie: cookie})
	}
	require.LessOrEqual(t, len(b.sockets), 2*boundLimit)
	_, _, ok := b.take(socketID{cookie: 1}, false)
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

// The cookie of a socket that is not TCP can be that of other sockets, and its inode becomes
// that of another one in the end. So its id serves for one first listen(2), soon after the
// bind, and later only while the socket listens.
func TestAnIDWithAnInodeIsUsedUp(t *testing.T) {
	var b boundSockets
	at := netip.MustParseAddrPort("0.0.0.0:5000")
	id, other := socketID{cookie: 1, inode: 2}, socketID{cookie: 1, inode: 3}
	b.remember(id, at)
	_, _, ok := b.take(other, true)
	require.False(t, ok)
	_, first, ok := b.take(id, false)
	require.True(t, first && ok)
	_, first, ok = b.take(id, false)
	require.False(t, first || ok, "it does not listen, so it can be an accepted socket")
	_, first, ok = b.take(id, true)
	require.True(t, !first && ok, "a listener changes its backlog")
	b.listenFailed(id)
	_, first, ok = b.take(id, false)
	require.True(t, first && ok, "the first try failed")

	b.remember(id, at)
	late := b.sockets[id]
	late.until = handover.Now()
	b.sockets[id] = late
	_, _, ok = b.take(id, false)
	require.False(t, ok)
}
