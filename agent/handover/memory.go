// Package handover has the memory that an agent leaves to its successor: the containers that
// it serves, where their sockets are bound, and the notifications that it has in hand.
//
// The memory is a memfd, which systemd keeps in the agent's fd store beside the notify fds. The
// agent writes into a mapping of it, so to write costs no system call, and what is written stays
// when the agent is killed at any instruction.
//
// The memory has three parts: a header, a Slot for each worker, and blocks, of which records and
// the sockets of containers are made. Whoever opens it trusts nothing in it: every index is
// checked, and every record and socket has a checksum.
package handover

import (
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/fault"
)

// layout is the version of the memory's layout. An agent that meets another one cannot read it.
var layout = fault.Layout(2)

const (
	headerSize = 4096
	slotCount  = 4096 // at least as many as a supervisor has workers
	slotsEnd   = headerSize + slotCount*slotSize

	// How many blocks there are in memory that is shared, and in memory that is private. Pages
	// that are not used do not exist.
	sharedBlocks, privateBlocks = 1 << 19, 1 << 12
)

// magic begins the memory.
var magic = [8]byte{'p', 'o', 'r', 't', '-', 'r', 's', '\n'}

// ErrLayout means that a memory was written by an agent of another version.
var ErrLayout = errors.New("its layout is that of another version of port-restricter")

type header struct {
	magic  [8]byte
	layout uint32
	// How many slots and blocks were ever used. Those behind have no pages yet, and to read
	// them would make some.
	slots, blocks atomic.Uint32
	orderly       atomic.Bool // the agent ended in order, and not by what it had in hand
	// When an agent that is not ready yet has started, on Now. It is 0 once the agent is ready.
	started atomic.Int64
}

// Memory is the memory that agents hand over. Its methods may be called concurrently.
type Memory struct {
	fd     int // -1 if the memory is not shared
	bytes  []byte
	header *header

	// What was found when the memory was opened: the first blocks of records, the sessions
	// whose record is damaged, and the sockets of containers by the container's number.
	records []uint32
	damaged []uint32
	sockets map[uint32]*Sockets

	spares atomic.Int32 // slots that no worker has

	mu         sync.Mutex
	freeSlots  []uint32
	freeBlocks []uint32
}

// NewPrivate returns memory that ends with the process, for a supervisor without a successor.
func NewPrivate() (*Memory, error) {
	bytes, err := mapped(-1, privateBlocks, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("map the memory of a supervisor: %w", err)
	}
	return over(-1, bytes)
}

// New returns new memory for a successor.
func New() (*Memory, error) {
	fd, err := unix.MemfdCreate("port-restricter", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make the memory for a successor: %w", err)
	}
	m, err := create(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make the memory for a successor: %w", err)
	}
	return m, nil
}

// seals rule out that the memory shrinks under its mapping, which would be a SIGBUS.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

func create(fd int) (*Memory, error) {
	if err := unix.Ftruncate(fd, slotsEnd+sharedBlocks*blockSize); err != nil {
		return nil, err
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return nil, err
	}
	bytes, err := mapped(fd, sharedBlocks, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return over(fd, bytes)
}

// Open returns the memory of a predecessor. Memory owns fd, unless there is an error. The error
// is ErrLayout if another version wrote the memory.
func Open(fd int) (*Memory, error) {
	if have, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || have != seals {
		return nil, errors.New("it is not a memory of port-restricter: it has other seals")
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, err
	}
	if stat.Size < headerSize {
		return nil, fmt.Errorf("it is cut off after %d bytes", stat.Size)
	}
	first := make([]byte, unsafe.Sizeof(header{}))
	if _, err := unix.Pread(fd, first, 0); err != nil {
		return nil, err
	}
	h := (*header)(unsafe.Pointer(&first[0]))
	switch {
	case h.magic != magic:
		return nil, errors.New("it does not begin as a memory of port-restricter does")
	case h.layout != layout || stat.Size != slotsEnd+sharedBlocks*blockSize:
		return nil, fmt.Errorf("%w: %d, and this one reads %d", ErrLayout, h.layout, layout)
	}
	bytes, err := mapped(fd, sharedBlocks, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return over(fd, bytes)
}

func mapped(fd, blocks, flags int) ([]byte, error) {
	size := slotsEnd + blocks*blockSize
	bytes, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return nil, err
	}
	// A helper process has the identity of its target, and no business here.
	return bytes, unix.Madvise(bytes, unix.MADV_DONTFORK)
}

// over returns the memory in bytes. What is in use there is not free.
func over(fd int, bytes []byte) (*Memory, error) {
	m := &Memory{fd: fd, bytes: bytes, header: (*header)(unsafe.Pointer(&bytes[0]))}
	h := m.header
	if h.magic != magic {
		h.layout = layout
		h.magic = magic
	}
	if h.slots.Load() > slotCount || h.blocks.Load() > m.blockLimit() {
		return nil, errors.Join(errors.New("its header is damaged"), unix.Munmap(bytes))
	}
	for i := h.slots.Load(); i > 0; i-- {
		if !m.slot(i - 1).used() {
			m.freeSlots = append(m.freeSlots, i-1)
		}
	}
	m.load()
	return m, nil
}

// blockLimit returns how many blocks there are.
func (m *Memory) blockLimit() uint32 { return uint32(len(m.bytes)-slotsEnd) / blockSize }

// EndInOrder records that the agent is about to end as it was told to. Begin takes it back.
func (m *Memory) EndInOrder() { m.header.orderly.Store(true) }

// Begin reports whether the agent before ended in order, and records that one has begun.
func (m *Memory) Begin() (orderly bool) { return m.header.orderly.Swap(false) }

// Starting records that an agent starts, and returns for how long it has to wait: if the one before
// ended before it was ready, by whatever, they start so far apart.
func (m *Memory) Starting(apart time.Duration) (wait time.Duration) {
	now := Now()
	if before := time.Duration(m.header.started.Load()); before != 0 {
		wait = max(0, min(before+apart-now, apart))
	}
	m.header.started.Store(int64(now + wait))
	return wait
}

// Ready records that the agent that starts is ready.
func (m *Memory) Ready() { m.header.started.Store(0) }

// FD returns the fd of the memory, or -1 if the memory is private.
func (m *Memory) FD() int { return m.fd }

var castagnoli = sync.OnceValue(func() *crc32.Table {
	return crc32.MakeTable(crc32.Castagnoli)
})

// take returns a free index below limit.
func take(free *[]uint32, ever *atomic.Uint32, limit uint32) (index uint32, ok bool) {
	if n := len(*free); n > 0 {
		index = (*free)[n-1]
		*free = (*free)[:n-1]
		return index, true
	}
	if index = ever.Load(); index >= limit {
		return 0, false
	}
	ever.Store(index + 1)
	return index, true
}
