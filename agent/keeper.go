package agent

import (
	"strconv"
	"sync"
	"time"

	"github.com/port-restricter/port-restricter/agent/fdstore"
	"github.com/port-restricter/port-restricter/agent/internal/fault"
)

const (
	// memoryName is the name of the handover memory in the fd store.
	memoryName = "_"

	// idLimit bounds the ids of sessions. The names of all stored fds come back in one environment
	// string, which the kernel limits to 128 KiB, so a name has at most 4 characters.
	idLimit, idBase = 36 * 36 * 36 * 36, 36

	// keepExecAfter is how old the session of an exec must be to be kept. Probes make one every
	// few seconds, and the manager compares each new fd with every other one.
	keepExecAfter = 2 * time.Second

	// flushLimit is how long an agent that ends waits for the service manager.
	flushLimit = 2 * time.Second
)

// nameOf returns the name of a session's notify fd in the fd store.
func nameOf(id uint32) string { return strconv.FormatUint(uint64(id), idBase) }

// freeID returns an id that no session has. s.mu is held.
func (s *Supervisor) freeID() uint32 {
	for {
		s.lastID = s.lastID%(idLimit-1) + 1
		if s.ids[s.lastID] == nil {
			return s.lastID
		}
	}
}

// keep writes down what a successor must know of a session, and makes the service manager
// keep its notify fd.
func (s *Supervisor) keep(sess *session) {
	if s.keeper == nil {
		return
	}
	kept, err := s.memory.Keep(sess.id, sess.record)
	if err != nil {
		s.keeper.notKept(sess, err.Error())
		return
	}
	sess.kept, sess.audit.counters = kept, kept.Counters
	fault.At("recorded", 0)
	if sess.record.Exec {
		time.AfterFunc(keepExecAfter, func() { s.keeper.add(sess) })
	} else {
		s.keeper.store(sess) // now, so that no container is lost with the agent
	}
}

// letGo removes what a successor would know of a session that has ended. The fd leaves the fd
// store by itself, unless the session broke while processes of it live.
func (s *Supervisor) letGo(sess *session, broke bool) {
	if s.keeper == nil || sess.kept.Counters == nil {
		return
	}
	sess.kept.Forget()
	s.keeper.remove(sess, broke)
}

// A keeper makes the service manager keep the notify fds of sessions. The manager takes its time.
// What is not urgent waits for it in the keeper's own goroutine.
type keeper struct {
	manager *fdstore.Manager
	s       *Supervisor

	mu      sync.Mutex
	pending []func()
	wake    chan struct{}
	kept    map[uint32]bool // the sessions whose fd is in the store
	lost    map[uint32]bool // those for which there was no room
}

func newKeeper(s *Supervisor, manager *fdstore.Manager) *keeper {
	k := &keeper{manager: manager, s: s, wake: make(chan struct{}, 1), kept: map[uint32]bool{},
		lost: map[uint32]bool{}}
	go k.run()
	return k
}

func (k *keeper) run() {
	for range k.wake {
		for {
			k.mu.Lock()
			if len(k.pending) == 0 {
				k.mu.Unlock()
				break
			}
			next := k.pending[0]
			k.pending = k.pending[1:]
			k.mu.Unlock()
			next()
		}
	}
}

func (k *keeper) do(step func()) {
	k.mu.Lock()
	k.pending = append(k.pending, step)
	k.mu.Unlock()
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// add stores the notify fd of a session later.
func (k *keeper) add(sess *session) { k.do(func() { k.store(sess) }) }

// store makes the manager keep the notify fd of a session.
func (k *keeper) store(sess *session) {
	if !sess.hold() {
		return // it has ended
	}
	defer sess.release()
	k.mu.Lock()
	if k.kept[sess.id] {
		k.mu.Unlock()
		return
	}
	full := len(k.kept) >= k.manager.Room()-1 // the memory takes one place
	if !full {
		k.kept[sess.id] = true
	}
	k.mu.Unlock()
	if full {
		k.notKept(sess, "the service manager keeps no more: raise FileDescriptorStoreMax= "+
			"and FDSTORE= of the agent's unit")
	} else if err := k.manager.Keep(nameOf(sess.id), sess.notifyFD); err != nil {
		k.notKept(sess, err.Error())
	}
}

// flush keeps every session that is not kept yet, and waits until the manager knows, at most
// flushLimit.
func (k *keeper) flush() {
	k.s.mu.Lock()
	for _, sess := range k.s.sessions {
		k.add(sess)
	}
	k.s.mu.Unlock()
	done := make(chan struct{})
	k.do(func() { close(done) })
	select {
	case <-done:
	case <-time.After(flushLimit):
		k.s.log.Warn("the service manager does not take the notify fds: " +
			"some containers may not survive the restart")
	}
}

// remove forgets that a session is kept.
func (k *keeper) remove(sess *session, drop bool) {
	k.mu.Lock()
	delete(k.kept, sess.id)
	delete(k.lost, sess.id)
	k.mu.Unlock()
	if drop {
		k.do(func() { _ = k.manager.Drop(nameOf(sess.id)) })
	}
}

// keepsAll reports whether all sessions would survive a restart.
func (s *Supervisor) keepsAll() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		if s.unprotected(sess) {
			return false
		}
	}
	return s.keeper != nil
}

// unprotected reports whether a session would not survive a restart. s.mu is held.
func (s *Supervisor) unprotected(sess *session) bool {
	if s.keeper == nil {
		return true
	}
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	return s.keeper.lost[sess.id]
}

func (k *keeper) notKept(sess *session, reason string) {
	k.mu.Lock()
	k.lost[sess.id] = true
	k.mu.Unlock()
	k.s.log.WithField("container", sess.key.id).WithField("reason", reason).
		Warn("the container would not survive a restart of the agent: its binds would fail")
}
