package handover

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func newMemory(t *testing.T) *Memory {
	t.Helper()
	m, err := New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(m.bytes)); unix.Close(m.fd) })
	return m
}

// successor returns the memory as the next agent finds it.
func successor(t *testing.T, m *Memory) *Memory {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(m.fd), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	next, err := Open(fd)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(next.bytes)); unix.Close(fd) })
	return next
}

// record returns a record that takes several blocks.
func record(n int) Record {
	return Record{
		Container: fmt.Sprint("c", n), Bundle: "/b", Number: uint32(n), Pid: 7, Home: 8,
		Annotations: map[string]string{"port-restricter.port": strings.Repeat("5000,", 1000)},
	}
}

func TestASuccessorFindsRecordsAndCounters(t *testing.T) {
	m := newMemory(t)
	var all []Kept
	for n := range 10 {
		kept, err := m.Keep(uint32(n+1), record(n))
		require.NoError(t, err)
		kept.Denied.Add(uint64(n))
		all = append(all, kept)
	}
	all[3].Forget()
	next := successor(t, m)
	found, damaged := next.Found()
	require.Empty(t, damaged)
	require.Len(t, found, 9)
	for _, kept := range found {
		n := int(kept.Session) - 1
		require.NotEqual(t, 3, n)
		require.EqualValues(t, n, kept.Denied.Load())
		r, err := kept.Record()
		require.NoError(t, err)
		require.Equal(t, record(n), r)
	}
	free := len(next.freeBlocks)
	for _, kept := range found {
		kept.Forget()
	}
	require.Len(t, next.freeBlocks, free+9*len(blocksOf(t, m, all[0])), "all blocks are free again")
}

func blocksOf(t *testing.T, m *Memory, kept Kept) []uint32 {
	t.Helper()
	chain, err := m.chain(kept.first)
	require.NoError(t, err)
	return chain
}

// A field that is not known could be a restriction.
func TestARecordOfAnotherVersionIsNotRead(t *testing.T) {
	m := newMemory(t)
	first, err := m.write(1, []byte(`{"Container": "c", "Ceiling": "5000"}`))
	require.NoError(t, err)
	_, err = m.kept(first).Record()
	require.ErrorContains(t, err, `of another version: json: unknown field "Ceiling"`)
}

// Whatever is written over, a successor finds only whole records, and no block twice.
func TestADamagedRecordIsDropped(t *testing.T) {
	for name, damage := range map[string]func(m *Memory, first uint32){
		"text":      func(m *Memory, first uint32) { m.block(first).data[0] ^= 1 },
		"owner":     func(m *Memory, first uint32) { m.block(first).owner = 2 },
		"length":    func(m *Memory, first uint32) { m.block(first).length = 1 << 31 },
		"no length": func(m *Memory, first uint32) { m.block(first).length = 0 },
		"cycle":     func(m *Memory, first uint32) { m.block(first).next = first + 1 },
		"outside":   func(m *Memory, first uint32) { m.block(first).next = sharedBlocks + 5 },
		"to another record": func(m *Memory, first uint32) {
			other := m.firstBlocks()[1]
			m.block(first).next = m.block(other).next
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory(t)
			kept, err := m.Keep(1, record(1))
			require.NoError(t, err)
			_, err = m.Keep(2, record(200))
			require.NoError(t, err)
			damage(m, kept.first)
			next := successor(t, m)
			found, damaged := next.Found()
			require.Len(t, found, 1)
			require.EqualValues(t, 2, found[0].Session)
			require.Len(t, damaged, 1)
			seen := map[uint32]bool{}
			for _, i := range append(next.freeBlocks, blocksOf(t, next, found[0])...) {
				require.False(t, seen[i], "block %d is twice there", i)
				seen[i] = true
			}
		})
	}
}

// firstBlocks returns the first blocks of all records that are there now.
func (m *Memory) firstBlocks() (all []uint32) {
	for i := range m.header.blocks.Load() {
		if m.block(i).kind == blockRecord {
			all = append(all, i)
		}
	}
	return all
}

func TestWhatIsNoMemoryIsRefused(t *testing.T) {
	pipe := make([]int, 2)
	require.NoError(t, unix.Pipe2(pipe, unix.O_CLOEXEC))
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	_, err := Open(pipe[0])
	require.ErrorContains(t, err, "it has other seals")

	for size, says := range map[int64]string{
		0: "cut off after 0 bytes", 100: "cut off", headerSize: "does not begin as",
	} {
		fd, err := unix.MemfdCreate("x", unix.MFD_ALLOW_SEALING)
		require.NoError(t, err)
		defer unix.Close(fd)
		require.NoError(t, unix.Ftruncate(fd, size))
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
		require.NoError(t, err)
		_, err = Open(fd)
		require.ErrorContains(t, err, says)
	}

	m := newMemory(t)
	m.header.blocks.Store(sharedBlocks + 1)
	_, err = Open(m.fd)
	require.ErrorContains(t, err, "header is damaged")
	m.header.layout++
	_, err = Open(m.fd)
	require.ErrorIs(t, err, ErrLayout)
}

func TestAFullMemoryIsSaid(t *testing.T) {
	m := newMemory(t)
	m.header.blocks.Store(sharedBlocks/4*3 - 1)
	require.NotNil(t, m.NewSockets(1).Write(nil, Socket{}))
	require.Nil(t, m.NewSockets(2).Write(nil, Socket{}), "the rest is for records")
	_, err := m.Keep(1, record(1))
	require.NoError(t, err)
	m.header.blocks.Store(sharedBlocks - 1)
	_, err = m.Keep(2, record(2))
	require.ErrorIs(t, err, errFull)
	require.Len(t, m.freeBlocks, 1, "what was taken is given back")
}

func TestASuccessorFindsSockets(t *testing.T) {
	m := newMemory(t)
	at := []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:5000"), netip.MustParseAddrPort("[::]:5000"),
		netip.MustParseAddrPort("[::ffff:1.2.3.4]:9"), netip.MustParseAddrPort("0.0.0.0:0"),
	}
	sockets := m.NewSockets(7)
	var want []Socket
	var places []*Place
	for n := range 100 {
		socket := Socket{
			Cookie: uint64(n), Inode: uint64(n % 2), At: at[n%len(at)], Until: Now(),
			Order: uint64(100 - n), Listened: n%3 == 0, Listening: n%5 == 0,
		}
		places = append(places, sockets.Write(nil, socket))
		want = append([]Socket{socket}, want...)
	}
	sockets.Forget(places[0])
	places[1].port++ // damaged
	want = want[:98]
	m.NewSockets(8).Write(nil, Socket{}) // of a container that has ended

	next := successor(t, m)
	all := next.FoundSockets(map[uint32]bool{7: true, 9: true})
	require.Len(t, all, 1)
	found, damaged := all[7].Read()
	require.Equal(t, 1, damaged)
	var got []Socket
	for _, f := range found {
		got = append(got, f.Socket)
	}
	require.Equal(t, want, got, "in their order")
	require.Len(t, next.freeBlocks, 1)
	all[7].Close()
	require.Len(t, next.freeBlocks, 1+len(sockets.blocks))
}

func TestASuccessorFindsWhatWasInHand(t *testing.T) {
	m := newMemory(t)
	idle, _ := m.TakeSlot()
	busy, _ := m.TakeSlot()
	busy.Serve(5)
	busy.Notification[0] = 42
	_, _, _, acted := busy.Acted()
	require.False(t, acted)
	busy.Act(1, 2, []byte("address"))

	next := successor(t, m)
	left := next.Left()
	require.Len(t, left, 1)
	require.EqualValues(t, 5, left[0].Session())
	require.EqualValues(t, 42, left[0].Notification[0])
	cookie, inode, asked, acted := left[0].Acted()
	require.True(t, acted)
	require.Equal(t, []any{uint64(1), uint64(2), "address"}, []any{cookie, inode, string(asked)})
	free, ok := next.TakeSlot()
	require.True(t, ok)
	require.NotSame(t, left[0], free)

	left[0].length = 4096
	_, _, _, acted = left[0].Acted()
	require.False(t, acted, "damaged")
	left[0].Clear()
	_, _, _, acted = left[0].Acted()
	require.False(t, acted)
	m.ReleaseSlot(idle)
	next.ReleaseSlot(left[0])
	require.Empty(t, successor(t, m).Left())
}

// A notification is suspected of the end of an agent only if the agent had begun to serve it.
func TestANotificationIsPoisonousOnceItHasEndedAgents(t *testing.T) {
	s := new(Slot)
	s.Serve(1)
	touched, alone := s.Touched()
	require.True(t, touched && !alone)
	s.Leave()
	touched, _ = s.Touched()
	require.False(t, touched)
	s.Begin()
	_, alone = s.Touched()
	require.True(t, alone)
	s.Suspect(alone)
	require.False(t, s.Poisonous())
	s.InCompany()
	_, alone = s.Touched()
	require.False(t, alone)
	for range poisonous - 1 {
		s.Suspect(alone)
		require.False(t, s.Poisonous())
	}
	s.Suspect(false)
	require.True(t, s.Poisonous())
	s.Clear()
	s.Suspect(true)
	s.Suspect(true)
	require.True(t, s.Poisonous())
}

func TestAnOrderlyEndIsNobodysFault(t *testing.T) {
	m := newMemory(t)
	require.False(t, m.Begin())
	m.EndInOrder()
	require.True(t, successor(t, m).Begin())
	require.False(t, successor(t, m).Begin())
}

func TestAnAgentThatWasNotReadyIsWaitedFor(t *testing.T) {
	const apart = time.Minute
	m := newMemory(t)
	require.Zero(t, m.Starting(apart))
	next := successor(t, m)
	wait := next.Starting(apart)
	require.Greater(t, wait, apart/2)
	require.LessOrEqual(t, wait, apart)
	require.Equal(t, apart, successor(t, m).Starting(apart))
	require.Zero(t, successor(t, m).Starting(0))
	next.Ready()
	require.Zero(t, successor(t, m).Starting(apart))
}
