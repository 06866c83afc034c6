package handover

import (
	"bytes"
	"sync/atomic"
	"unsafe"
)

const slotSize = 512

// A Stage is how far a worker has come with the notification in its slot.
type Stage uint32

const (
	// Deciding is the stage in which nothing was done for the target.
	Deciding Stage = iota
	// Acting is the stage in which the call is about to be made, or was made.
	Acting
	// Answering is the stage in which the call was made, and its result is about to be sent.
	Answering
)

// A Slot is where one worker has the notification in its hand. The kernel writes the notification
// there itself, so there is no moment in which it is received and not written down.
type Slot struct {
	session atomic.Uint32 // 0: the slot is free
	stage   atomic.Uint32
	deaths  uint16
	alone   bool
	_       bool
	length  uint32
	cookie  uint64
	inode   uint64
	asked   [128]byte

	// Notification is room for a struct seccomp_notif.
	Notification [80]byte

	_ [slotSize - 32 - 128 - 80]byte
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
	s.Begin()
	s.session.Store(session)
}

// Session returns the session whose notification the slot has, or 0.
func (s *Slot) Session() uint32 { return s.session.Load() }

// Begin records that a notification was received.
func (s *Slot) Begin() {
	s.stage.Store(uint32(Deciding))
	s.deaths, s.alone = 0, false
}

// BeginAlone records that a successor begins to serve the notification, and serves no other.
func (s *Slot) BeginAlone() { s.alone = true }

// Alone reports whether the agent before served the notification alone.
func (s *Slot) Alone() bool { return s.alone }

// Act records that a socket is about to be bound to asked.
func (s *Slot) Act(cookie, inode uint64, asked []byte) {
	s.cookie, s.inode = cookie, inode
	s.length = uint32(copy(s.asked[:], asked))
	s.stage.Store(uint32(Acting))
}

// Answer records that the answer is about to be sent.
func (s *Slot) Answer() { s.stage.Store(uint32(Answering)) }

// Stage returns how far the worker came.
func (s *Slot) Stage() Stage { return Stage(s.stage.Load()) }

// Acted returns what the worker recorded with Act. ok is false if it recorded nothing.
func (s *Slot) Acted() (cookie, inode uint64, asked []byte, ok bool) {
	if s.Stage() == Deciding || s.length > uint32(len(s.asked)) {
		return 0, 0, nil, false
	}
	return s.cookie, s.inode, bytes.Clone(s.asked[:s.length]), true
}

// Deaths returns how often Suspect was called for the notification.
func (s *Slot) Deaths() int { return int(s.deaths) }

// Suspect records that an agent ended with this notification, and no other, in hand.
func (s *Slot) Suspect() { s.deaths++ }
