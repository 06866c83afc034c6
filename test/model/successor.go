package model

// A phase is what an agent does with its sessions.
type phase uint8

const (
	serving  phase = iota
	gap            // it crashed, and its successor has not begun: callers wait
	resuming       // Supervisor.Resume: what was in hand is finished, one after the other
)

// A stage is how far a worker came with the notification in its slot: handover.Stage.
type stage uint8

const (
	unused stage = iota
	deciding
	acting
)

// poisonous is how many agents a notification may end.
const poisonous = 2

// A slot is where a worker has its notification, in the memory that survives the agent:
// handover.Slot. The kernel writes the notification itself.
type slot struct {
	notification
	stage   stage
	socket  uint8 // to be bound to asked
	asked   address
	deaths  uint8 // how many agents it is suspected to have ended
	alone   bool  // it is served, and no other
	begun   bool  // this agent has begun to serve it
	resumed bool  // it was left by a predecessor
	ended   uint8 // how many agents really crashed while they served it; nobody knows
}

// An orphan is a bind whose caller does not have the answer.
type orphan struct {
	asked address // unset: there is none
	begun bool    // an agent ended over it: it may have been made
}

var noOrphan = orphan{}

// writeSlot writes a slot. Nobody reads those of the last agent, and they would only make
// more states.
func (s *state) writeSlot(i int, to slot) {
	if s.successors > 0 {
		s.slot[i] = to
	}
}

// writeDown models attempt.writeDown.
func (s *state) writeDown(i int) {
	to, a := s.slot[i], &s.attempt[i]
	to.stage, to.socket, to.asked = acting, a.socket, a.asked
	s.writeSlot(i, to)
}

// crash ends the agent at any point.
func crash(s *state, m mutation) bool {
	if s.dead || s.poison || s.phase == gap {
		return false
	}
	s.endAgent(m)
	return true
}

// endInOrder is Supervisor.Close of an agent with a successor. It finishes every call that
// its target does not block.
func endInOrder(s *state, m mutation) bool {
	if s.successors == 0 || s.poison || s.phase != serving || !s.allBlocked() {
		return false
	}
	for k := range s.slot {
		s.slot[k].begun = m.blamedInOrder && s.slot[k].begun
		s.attempt[k] = attempt{}
	}
	s.endAgent(m)
	return true
}

// endAgent leaves what survives an agent. After the last one the kernel closes the notify
// fd, and every caller gets ENOSYS, now and later.
func (s *state) endAgent(m mutation) {
	if s.successors == 0 {
		if s.poison {
			s.breaks(everAnswered) // one call ends agent after agent
		}
		s.dead, s.phase = true, serving
		s.attempt, s.orphan, s.kept = [attempts]attempt{}, [sockets]orphan{}, [attempts]uint8{}
		s.slot, s.bound = [attempts]slot{}, [sockets]address{}
		for c := range s.caller {
			s.caller[c].wait = running
		}
		return
	}
	s.successors--
	s.phase = gap
	for i := range s.slot {
		l := &s.slot[i]
		if s.attempt[i].at == idle {
			continue
		}
		if l.stage == acting && s.socket[l.socket].credited {
			s.socket[l.socket].doubtful = true
		}
		l.ended = min(l.ended+1, poisonous)
	}
	s.attempt, s.kept = [attempts]attempt{}, [attempts]uint8{}
	if m.orphansEnd {
		s.orphan = [sockets]orphan{}
	}
	if m.boundEnds {
		s.bound = [sockets]address{}
	}
	if m.noSlots {
		s.slot = [attempts]slot{}
	}
}

// takeOver models Supervisor.stillWaiting, and whom Resume suspects.
func takeOver(s *state, m mutation) bool {
	if s.phase != gap {
		return false
	}
	s.phase = resuming
	left := 0
	for k := range s.slot {
		l := &s.slot[k]
		if l.stage == unused {
			continue
		}
		waits := s.valid(l.notification)
		if l.stage == acting && (waits || !m.calledAwayForgotten) {
			s.orphan[l.socket] = orphan{asked: l.asked, begun: true}
		}
		if !waits && !m.leftUnchecked {
			*l = slot{}
			continue
		}
		left++
	}
	for k := range s.slot {
		l := &s.slot[k]
		if (l.begun || m.blamedUntouched) && (l.alone || left == 1) {
			l.deaths = min(l.deaths+1, poisonous)
		}
		l.alone, l.begun, l.resumed = false, false, l.stage != unused
	}
	return true
}

// waitsForSuccessor reports whether a predecessor had the notification in hand, and the
// successor has not begun to serve it.
func (l *slot) waitsForSuccessor() bool { return l.resumed && !l.begun }

// resume begins to serve the next notification that was in hand, once those before it are
// answered or their target blocks them. It models Supervisor.Resume and finish.
func resume(s *state, i int, m mutation) bool {
	if s.phase != resuming || !s.slot[i].waitsForSuccessor() || !s.allBlocked() {
		return false
	}
	for k := range i {
		if s.slot[k].waitsForSuccessor() {
			return false
		}
	}
	if !m.blamedWhileBlocked {
		s.nobodyAlone()
	}
	l := &s.slot[i]
	l.begun, l.alone = true, true
	s.attempt[i] = newAttempt(s, l.notification, m)
	if l.deaths == poisonous && !m.noDeathLimit {
		if s.poison && l.caller != C || l.ended < poisonous {
			s.breaks(notBlamed)
		}
		s.attempt[i].finish(eperm)
	}
	return true
}

// arm lets the agent receive notifications, once it has begun with all that were in hand.
func arm(s *state, m mutation) bool {
	if s.phase != resuming || !s.allBlocked() {
		return false
	}
	for k := range s.slot {
		if s.slot[k].waitsForSuccessor() {
			return false
		}
	}
	s.phase = serving
	if !m.blamedWhileBlocked {
		s.nobodyAlone()
	}
	return true
}

func (s *state) nobodyAlone() {
	for k := range s.slot {
		s.slot[k].alone = false
	}
}

// allBlocked reports whether the targets of all attempts block them.
func (s *state) allBlocked() bool {
	for k := range s.attempt {
		a := &s.attempt[k]
		holder, alive := s.holder(a.caller)
		if a.at != idle && (a.at != read || !alive || !s.caller[holder].stuck) {
			return false
		}
	}
	return true
}
