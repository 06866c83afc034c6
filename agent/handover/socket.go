package handover

import (
	"cmp"
	"hash/crc32"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	socketSize      = 64
	socketsPerBlock = int(blockRoom) / socketSize
)

// A Socket is where one socket of a container was bound.
type Socket struct {
	Cookie, Inode uint64
	At            netip.AddrPort
	Until         time.Duration // on CLOCK_MONOTONIC
	Order         uint64        // a socket with a higher number was bound or listened later
	Listened      bool          // listen(2) was asked for
	Listening     bool          // and was made
}

// stored is a Socket in the memory.
type stored struct {
	sum       uint32
	port      uint16
	is4, used uint8
	cookie    uint64
	inode     uint64
	until     int64
	order     uint64
	addr      [16]byte
	listened  uint8
	listening uint8
	_         [6]byte
}

// Sockets are the sockets of one container in the memory. They are not for concurrent use.
type Sockets struct {
	memory *Memory
	number uint32
	blocks []uint32
	free   []*Place
}

// A Place has one socket in the memory.
type Place stored

// NewSockets returns the sockets of the container with this number, of which there are none yet.
func (m *Memory) NewSockets(number uint32) *Sockets { return &Sockets{memory: m, number: number} }

// Write writes a socket at a place, or at a new one if place is nil. It returns the place, or
// nil if the memory is full: a successor will not know the socket, and refuses to listen on it.
func (s *Sockets) Write(place *Place, socket Socket) *Place {
	if place == nil {
		if place = s.take(); place == nil {
			return nil
		}
	}
	addr := socket.At.Addr()
	*place = Place{
		port: socket.At.Port(), used: 1, cookie: socket.Cookie, inode: socket.Inode,
		until: int64(socket.Until), order: socket.Order, addr: addr.As16(),
		is4: bit(addr.Is4()), listened: bit(socket.Listened), listening: bit(socket.Listening),
	}
	// A place that is written in part has another sum.
	atomic.StoreUint32(&place.sum, place.checksum())
	return place
}

func bit(set bool) uint8 {
	if set {
		return 1
	}
	return 0
}

// Forget removes the socket at a place.
func (s *Sockets) Forget(place *Place) {
	*place = Place{}
	s.free = append(s.free, place)
}

// Close gives the memory of all sockets back.
func (s *Sockets) Close() {
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range s.blocks {
		m.block(i).kind = blockFree
	}
	m.freeBlocks = append(m.freeBlocks, s.blocks...)
	s.blocks, s.free = nil, nil
}

func (s *Sockets) take() *Place {
	if n := len(s.free); n > 0 {
		place := s.free[n-1]
		s.free = s.free[:n-1]
		return place
	}
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	// A container can bind sockets without end. The last quarter is for records.
	i, ok := take(&m.freeBlocks, &m.header.blocks, m.blockLimit()/4*3)
	if !ok {
		return nil
	}
	b := m.block(i)
	*b = block{owner: s.number}
	atomic.StoreUint32(&b.kind, blockSockets)
	s.blocks = append(s.blocks, i)
	for k := socketsPerBlock; k > 1; k-- {
		s.free = append(s.free, b.place(k-1))
	}
	return b.place(0)
}

func (b *block) place(k int) *Place { return (*Place)(unsafe.Pointer(&b.data[k*socketSize])) }

// checksum is over everything but the sum itself.
func (p *Place) checksum() uint32 {
	all := (*[socketSize]byte)(unsafe.Pointer(p))
	return crc32.Checksum(all[4:], castagnoli())
}

// A Written is a socket that was found in the memory, and its place.
type Written struct {
	Socket
	Place *Place
}

// FoundSockets returns the sockets of the containers that were there when the memory was opened,
// by the number of the container. Those of containers that are not in numbers are forgotten. Read
// is to be called before anything else is done with the others.
func (m *Memory) FoundSockets(numbers map[uint32]bool) map[uint32]*Sockets {
	for number, s := range m.sockets {
		if !numbers[number] {
			s.Close()
			delete(m.sockets, number)
		}
	}
	return m.sockets
}

// Read returns what a predecessor has written, in its order. damaged is how many sockets were
// lost because they are damaged.
func (s *Sockets) Read() (found []Written, damaged int) {
	found = make([]Written, 0, len(s.blocks)*socketsPerBlock)
	for _, i := range s.blocks {
		for k := range socketsPerBlock {
			place := s.memory.block(i).place(k)
			switch {
			case place.used == 0:
				s.free = append(s.free, place)
			case place.checksum() != place.sum:
				damaged++
				s.Forget(place)
			default:
				found = append(found, Written{place.socket(), place})
			}
		}
	}
	slices.SortFunc(found, func(a, b Written) int { return cmp.Compare(a.Order, b.Order) })
	return found, damaged
}

func (p *Place) socket() Socket {
	addr := netip.AddrFrom16(p.addr)
	if p.is4 != 0 {
		addr = addr.Unmap()
	}
	return Socket{
		Cookie: p.cookie, Inode: p.inode, At: netip.AddrPortFrom(addr, p.port),
		Until: time.Duration(p.until), Order: p.order,
		Listened: p.listened != 0, Listening: p.listening != 0,
	}
}

// Now returns the time on CLOCK_MONOTONIC, which is the same for an agent and its successor.
func Now() time.Duration { return startedAt + time.Since(started) }

var started, startedAt = time.Now(), monotonic()

func monotonic() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // it can't fail
	return time.Duration(now.Nano())
}

var (
	_ [socketSize]byte = [unsafe.Sizeof(stored{})]byte{}
	_ [blockSize]byte  = [unsafe.Sizeof(block{})]byte{}
	_ [slotSize]byte   = [unsafe.Sizeof(Slot{})]byte{}
)
