package handover

import (
	"errors"
	"hash/crc32"
	"slices"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const blockSize = 1024

// The kinds of a block. A block that continues a record has none: it is in use as long as the
// record's first block leads to it.
const (
	blockFree = iota
	blockRecord
	blockSockets
)

// A block is the first block of a record, or another one, or has sockets of a container.
type block struct {
	kind   uint32
	owner  uint32 // the session of a record, or the number of a container
	next   uint32 // of a record: 1 + the index of the block with the rest, or 0
	length uint32 // of the whole record, in bytes
	sum    uint32 // of the whole record and its owner
	_      uint32

	Counters
	data [blockSize - 24 - countersSize]byte
}

const blockRoom = uint32(len(block{}.data))

var errFull = errors.New("the memory for a successor is full")

func (m *Memory) block(i uint32) *block {
	return (*block)(unsafe.Pointer(&m.bytes[slotsEnd+int(i)*blockSize]))
}

// load finds out which blocks are in use, and frees the others: those of records that were never
// finished, or are damaged.
func (m *Memory) load() {
	used := make([]bool, m.header.blocks.Load())
	// In one call and not by a page fault each. Kernels before 5.14 can't.
	_ = unix.Madvise(m.bytes[slotsEnd:slotsEnd+len(used)*blockSize], unix.MADV_POPULATE_READ)
	m.sockets = map[uint32]*Sockets{}
	for i := range used {
		b := m.block(uint32(i))
		switch b.kind {
		case blockSockets:
			used[i] = true
			if m.sockets[b.owner] == nil {
				m.sockets[b.owner] = m.NewSockets(b.owner)
			}
			m.sockets[b.owner].blocks = append(m.sockets[b.owner].blocks, uint32(i))
		case blockRecord:
			chain, err := m.check(uint32(i), used)
			if err != nil {
				m.damaged = append(m.damaged, b.owner)
				continue
			}
			for _, k := range chain {
				used[k] = true
			}
			m.records = append(m.records, uint32(i))
		}
	}
	for i := len(used); i > 0; i-- {
		if !used[i-1] {
			m.block(uint32(i - 1)).kind = blockFree
			m.freeBlocks = append(m.freeBlocks, uint32(i-1))
		}
	}
}

// check returns the blocks of a record, none of which may be used.
func (m *Memory) check(first uint32, used []bool) ([]uint32, error) {
	if _, err := m.read(first); err != nil {
		return nil, err
	}
	chain, err := m.chain(first)
	for k, i := range chain {
		if used[i] || slices.Contains(chain[:k], i) {
			return nil, errDamaged
		}
	}
	return chain, err
}

// chain returns the indexes of the blocks of the record that begins with block first.
func (m *Memory) chain(first uint32) (all []uint32, err error) {
	ever := m.header.blocks.Load()
	count := blocksFor(int(m.block(first).length))
	for at := first; len(all) < count; {
		if at >= ever || len(all) > 0 && m.block(at).kind != blockFree {
			return nil, errDamaged
		}
		all = append(all, at)
		at = m.block(at).next - 1
	}
	if len(all) == 0 {
		return nil, errDamaged
	}
	return all, nil
}

// blocksFor returns how many blocks a record of length bytes takes.
func blocksFor(length int) int { return (length + int(blockRoom) - 1) / int(blockRoom) }

var errDamaged = errors.New("its record is damaged")

// write writes a record and returns the index of its first block. A record exists once its first
// block has a kind, which is written last.
func (m *Memory) write(owner uint32, text []byte) (uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []uint32
	for range blocksFor(len(text)) {
		i, ok := take(&m.freeBlocks, &m.header.blocks, m.blockLimit())
		if !ok {
			m.freeBlocks = append(m.freeBlocks, all...)
			return 0, errFull
		}
		*m.block(i) = block{}
		all = append(all, i)
	}
	rest := text
	for k, i := range all {
		b := m.block(i)
		rest = rest[copy(b.data[:], rest):]
		if k+1 < len(all) {
			b.next = all[k+1] + 1
		}
	}
	head := m.block(all[0])
	head.owner, head.length = owner, uint32(len(text))
	head.sum = sum(owner, text)
	atomic.StoreUint32(&head.kind, blockRecord)
	return all[0], nil
}

// read returns the text of the record that begins with block first.
func (m *Memory) read(first uint32) ([]byte, error) {
	chain, err := m.chain(first)
	if err != nil {
		return nil, err
	}
	head := m.block(first)
	var text []byte
	for _, i := range chain {
		text = append(text, m.block(i).data[:min(blockRoom, head.length-uint32(len(text)))]...)
	}
	if sum(head.owner, text) != head.sum {
		return nil, errDamaged
	}
	return text, nil
}

// remove frees the blocks of the record that begins with block first.
func (m *Memory) remove(first uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	chain, err := m.chain(first)
	m.block(first).kind = blockFree
	if err == nil {
		m.freeBlocks = append(m.freeBlocks, chain...)
	}
}

func sum(owner uint32, text []byte) uint32 { return crc32.Update(owner, castagnoli(), text) }
