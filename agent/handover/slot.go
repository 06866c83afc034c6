package handover

import (
	"bytes"
	"sync/atomic"
	"unsafe"
)

const slotSize = 512

// A Slot is where one worker has the notification in its hand. The kernel writes the notification
// there itself, so there is no moment in which it is received and not written down.
type Slot struct {
	session atomic.Uint32 // 0: the slot is free
	acting  atomic.Bool   // the rest says which bind is about to be made, or was made
	touched bool          // the agent has begun to serve the notification
	alone   bool          // and serves no other
	_       bool
	deaths  uint16 // of agents that served no other
	company uint16 // of agents that served others as well
	length  uint32
	cookie  uint64
	inode   uint64
	asked   [128]byte

	// Notification is room for a struct seccomp_notif.
	Notification [80]byte

	_ [slotSize - 40 - 128 - 80]byte
}

func (m *Memory) slot(i uint32) *Slot {
	return (*Slot)(unsafe.Pointer(&m.bytes[headerSize+int(i)*slotSize]))
}

func (s *Slot) used() bool { return s.session.Load() != 0 }

// TakeSlot returns a free slot for a worker. There are enough for every worker of a supervisor.
func (m *Memory) TakeSlot() (*Slot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := take(&m.freeSlots, &m.header.slots, slotCount)
	if !ok {
		return nil, false
	}
	s := m.slot(i)
	*s = Slot{}
	return s, true
}

// ReleaseSlot gives a slot back.
func (m *Memory) ReleaseSlot(s *Slot) {
	s.session.Store(0)
	m.mu.Lock()
	defer m.mu.Unlock()
	at := uintptr(unsafe.Pointer(s)) - uintptr(unsafe.Pointer(m.slot(0)))
	m.freeSlots = append(m.freeSlots, uint32(at/slotSize))
}

// spareLimit bounds how many slots are taken for what no worker has in hand.
const spareLimit = slotCount / 8

// TakeSpareSlot returns a slot for something else than a worker's notification.
func (m *Memory) TakeSpareSlot() (*Slot, bool) {
	if m.spares.Add(1) > spareLimit {
		m.spares.Add(-1)
		return nil, false
	}
	s, ok := m.TakeSlot()
	if !ok {
		m.spares.Add(-1)
	}
	return s, ok
}

// ReleaseSpareSlot gives a slot of TakeSpareSlot back.
func (m *Memory) ReleaseSpareSlot(s *Slot) {
	m.ReleaseSlot(s)
	m.spares.Add(-1)
}

// Left returns the slots that a predecessor used when it ended. Each must be released.
func (m *Memory) Left() (slots []*Slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.header.slots.Load() {
		if s := m.slot(i); s.used() {
			slots = append(slots, s)
		}
	}
	return slots
}

// Serve records that the next notifications are those of a session.
func (s *Slot) Serve(session uint32) {
	s.Notification = [80]byte{}
	s.Clear()
	s.session.Store(session)
}

// Session returns the session whose notification the slot has, or 0.
func (s *Slot) Session() uint32 { return s.session.Load() }

// Clear records that nothing was done for the next notification, and that the agent begins to
// serve it as soon as it comes.
func (s *Slot) Clear() {
	s.acting.Store(false)
	s.touched, s.alone = true, false
	s.deaths, s.company = 0, 0
}

// Act records that a socket is about to be bound to asked.
func (s *Slot) Act(cookie, inode uint64, asked []byte) {
	s.acting.Store(false)
	s.cookie, s.inode = cookie, inode
	s.length = uint32(copy(s.asked[:], asked))
	s.acting.Store(true)
}

// Acted returns what was recorded with Act. ok is false if nothing was.
func (s *Slot) Acted() (cookie, inode uint64, asked []byte, ok bool) {
	if !s.acting.Load() || s.length > uint32(len(s.asked)) {
		return 0, 0, nil, false
	}
	return s.cookie, s.inode, bytes.Clone(s.asked[:s.length]), true
}

// Touched reports whether the agent before had begun to serve the notification, and alone
// whether it served no other.
func (s *Slot) Touched() (touched, alone bool) { return s.touched, s.touched && s.alone }

// Suspect records that an agent ended while it served the notification, and alone says whether
// it served no other.
func (s *Slot) Suspect(alone bool) {
	if alone {
		s.deaths++
	} else {
		s.company++
	}
}

// Leave records that the notification waits for a successor's worker.
func (s *Slot) Leave() { s.touched, s.alone = false, false }

// Begin records that a successor begins to serve the notification, and serves no other until
// InCompany.
func (s *Slot) Begin() { s.touched, s.alone = true, true }

// InCompany records that others are served, too.
func (s *Slot) InCompany() { s.alone = false }

// Poisonous reports whether so many agents ended while they served the notification that
// the next one must not.
func (s *Slot) Poisonous() bool { return s.deaths >= alonePoisonous || s.company >= poisonous }

const (
	// alonePoisonous is how many agents may end while they serve a notification alone.
	alonePoisonous = 2
	// poisonous is how many may end while they serve others as well: a slow poison is never
	// alone.
	poisonous = 8
)
