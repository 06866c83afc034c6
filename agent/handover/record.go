package handover

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync/atomic"
)

// A Record is what a successor must know of a session to go on with it. A field that a reader
// does not know could be a restriction, so such a record is not read.
type Record struct {
	Container string // the container's id
	Bundle    string
	Number    uint32 // of the container, as in Sockets
	Pid       int    // that loaded the filter, as the OCI runtime numbers it
	Home      int    // target.Home
	Exec      bool   // another process of a container that has been running
	Since     int64  // when it was attached, in nanoseconds of Unix time

	// What the container's policy is made of.
	Annotations map[string]string `json:",omitempty"`
	Metadata    string            `json:",omitempty"`
}

// Counters count the decisions of a session, also across agents.
type Counters struct{ Allowed, Denied, Audited atomic.Uint64 }

const countersSize = 24

// Add adds the counts of another session.
func (c *Counters) Add(other *Counters) {
	c.Allowed.Add(other.Allowed.Load())
	c.Denied.Add(other.Denied.Load())
	c.Audited.Add(other.Audited.Load())
}

// A Kept is a record in the memory.
type Kept struct {
	*Counters
	Session uint32

	memory *Memory
	first  uint32
}

// Keep writes the record of a session.
func (m *Memory) Keep(session uint32, r Record) (Kept, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return Kept{}, fmt.Errorf("write the record for a successor: %w", err)
	}
	first, err := m.write(session, text)
	if err != nil {
		return Kept{}, err
	}
	return m.kept(first), nil
}

func (m *Memory) kept(first uint32) Kept {
	b := m.block(first)
	return Kept{Counters: &b.Counters, Session: b.owner, memory: m, first: first}
}

// Forget removes the record.
func (k Kept) Forget() { k.memory.remove(k.first) }

// Record returns the record. An error says why it can't be read.
func (k Kept) Record() (r Record, err error) {
	text, err := k.memory.read(k.first)
	if err != nil {
		return r, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Record{}, fmt.Errorf("its record is of another version: %w", err)
	}
	return r, nil
}

// Found returns the records that were there when the memory was opened, and the sessions whose
// records are damaged.
func (m *Memory) Found() (records []Kept, damaged []uint32) {
	for _, first := range m.records {
		records = append(records, m.kept(first))
	}
	return records, m.damaged
}
