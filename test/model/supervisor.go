package model

const (
	// limit is inFlightLimit of package agent, made smaller: how many calls of one
	// container are served at the same time.
	limit = 2

	// attempts is how many attempts a state has room for. A's and B's container has
	// the first two, and one more that only a mutated supervisor uses. C's container
	// has the last.
	attempts = limit + 2

	// none is the number of no caller, no socket and no attempt.
	none = 255
)

// A step is the next thing that an attempt does. Beside each step are the functions
// of package agent that it models.
type step uint8

const (
	idle      step = iota
	begin          // orphans.begin; session.handle waits for an earlier call
	open           // openThread
	read           // decodeCall, Thread.Read
	duplicate      // Thread.Socket
	check          // attempt.valid, in inspect
	decide         // kindOf, attempt.bind, actInTargetContext
	act            // rawBind, unix.Listen
	settle         // attempt.settle, after EINVAL
	note           // boundSockets.remember
	context        // Thread.identity
	recheck        // valid, in Thread.MakeCall
	asTarget       // the helper's call
	release        // attempt.release
	respond        // notifier.respond
	remember       // orphans.remember
	end            // orphans.end, session.leave
)

// An attempt is one notification on its way to an answer, as in package agent.
type attempt struct {
	notification
	at       step
	behind   uint8 // the attempt of the same thread that must end first
	process  uint8 // the process to which the pidfd refers
	source   uint8 // the process whose memory was read
	asked    address
	socket   uint8 // the socket that the duplicate refers to
	held     bool  // the duplicate is open
	identity uint8 // the process whose credentials the helper takes
	err      errno
	bound    bool
	holds    bool // attempt.bind made the bind, or attempt.holdsPort says so
	lost     bool // respond returned ENOENT
	replies  uint8
}

// A mutation takes one protection out of the supervisor.
type mutation struct {
	noCheck, checkFirst, noRecheck, checkOfFamily, readAgain, duplicateAgain, alwaysContinue,
	continueShared, noOrphans, orphanOfAnyAddress, noWaitForEarlier, replyTwice, noReply,
	unbounded, oneLoop, releaseLate, noPolicy, noReopen bool

	// Of a successor.
	noSlots, slotLate, slotEarly, slotKept, orphansEnd, calledAwayForgotten, begunUnseen,
	leftUnchecked, armedUnseen, armedFirst, noDeathLimit, blamedWhileBlocked, blamedInOrder,
	blamedUntouched, boundEnds, takenByName, takenNever, listenByName bool
}

func supervisorSteps(m mutation) []action {
	each := table(attempts, map[string]func(*state, int) bool{
		"receives": func(s *state, i int) bool { return receive(s, i, m) },
		"goes on":  func(s *state, i int) bool { return goOn(s, i, m) },
		"resumes":  func(s *state, i int) bool { return resume(s, i, m) },
	})
	return append(each, table(1, map[string]func(*state, int) bool{
		"crashes":       func(s *state, _ int) bool { return crash(s, m) },
		"ends in order": func(s *state, _ int) bool { return endInOrder(s, m) },
		"takes over":    func(s *state, _ int) bool { return takeOver(s, m) },
		"arms":          func(s *state, _ int) bool { return arm(s, m) },
	})...)
}

// receive starts an attempt with a notification that was sent. It models
// worker.receiveAll, within the bound that session.enter sets.
func receive(s *state, i int, m mutation) bool {
	if s.dead || s.attempt[i].at != idle || i == limit && !m.unbounded {
		return false
	}
	if s.phase == gap && !m.armedUnseen || s.phase == resuming && !m.armedFirst ||
		s.slot[i].waitsForSuccessor() {
		return false
	}
	if m.oneLoop {
		for k := range s.attempt {
			if s.attempt[k].at != idle {
				return false
			}
		}
	}
	for c := range uint8(callers) {
		if s.caller[c].wait != sent || (c == C) != (i == attempts-1) {
			continue
		}
		s.caller[c].wait = received
		n := notification{c, s.caller[c].generation, s.caller[c].listen}
		s.writeSlot(i, slot{notification: n, stage: deciding, begun: true})
		s.attempt[i] = newAttempt(s, n, m)
		return true
	}
	return false
}

// newAttempt models the beginning of session.handle.
func newAttempt(s *state, n notification, m mutation) attempt {
	a := attempt{
		notification: n, at: begin,
		behind: none, process: none, source: none, socket: none, identity: none,
	}
	// Wait for the newest earlier attempt: the one that no other waits for.
	for k := range s.attempt {
		other := &s.attempt[k]
		sameThread := n.caller != C && other.at != idle && other.caller != C
		if sameThread && !m.noWaitForEarlier && !hasFollower(s, k) {
			a.behind = uint8(k)
		}
	}
	return a
}

// hasFollower reports whether another attempt waits for the end of attempt k.
func hasFollower(s *state, k int) bool {
	for i := range s.attempt {
		if s.attempt[i].at == begin && int(s.attempt[i].behind) == k {
			return true
		}
	}
	return false
}

// goOn takes the next step of an attempt. It models, in this order, session.handle,
// attempt.run, attempt.inspect, attempt.bind and Thread.MakeCall.
func goOn(s *state, i int, m mutation) bool {
	a := &s.attempt[i]
	switch a.at {
	case idle:
		return false
	case begin:
		if a.behind != none {
			return false
		}
		a.at = open
		if m.checkFirst && !s.valid(a.notification) {
			a.finish(withdrawn)
		}
	case open:
		holder, alive := s.holder(a.caller)
		switch kept := s.kept[i]; {
		case kept != 0:
			a.process, a.at = kept-1, read
		case !alive:
			a.finish(esrch)
		default:
			a.process, a.at, s.kept[i] = holder, read, holder+1
		}
		if a.listen && a.at == read { // it has no sockaddr
			a.source, a.at = a.process, duplicate
		}
	case read: // by thread id, not by pidfd: process_vm_readv(2)
		holder, alive := s.holder(a.caller)
		if alive && s.caller[holder].stuck {
			return false
		}
		if alive {
			a.source, a.asked = holder, s.caller[holder].memory
		} else {
			a.err = esrch
		}
		a.at = duplicate
	case duplicate:
		a.at = check
		if holder, alive := s.holder(a.caller); alive && !m.noReopen && !s.caller[a.process].alive {
			a.process, s.kept[i] = holder, holder+1
		}
		if !s.caller[a.process].alive {
			a.err = esrch
			break
		}
		a.socket, a.held = s.caller[a.process].fd, true
	case check:
		unchecked := m.noCheck || m.checkFirst || m.leftUnchecked && s.slot[i].resumed
		switch {
		case !unchecked && !s.valid(a.notification):
			a.finish(withdrawn)
		case a.err != ok:
			a.finish(a.err)
		default:
			a.at = decide
		}
	case decide:
		if s.poison && a.caller == C {
			s.endAgent(m)
			break
		}
		s.decide(a, m)
		if a.at != release && !a.listen && !m.slotLate {
			s.writeDown(i)
		}
	case act:
		if m.readAgain {
			a.asked = s.caller[a.source].memory
		}
		if m.duplicateAgain {
			a.socket = s.caller[a.process].fd
		}
		s.act(a, m)
	case settle:
		s.settle(a, m)
	case note:
		s.bound[a.socket] = a.asked
		a.finish(ok)
	case context:
		a.identity, a.at = none, recheck
		if holder, alive := s.holder(a.caller); alive {
			a.identity = holder
		}
	case recheck:
		switch {
		case !m.noRecheck && !s.valid(a.notification):
			a.finish(withdrawn)
		case a.identity == none:
			a.finish(eperm) // target.ErrNotMade
		default:
			a.at = asTarget
		}
	case asTarget:
		if a.identity != a.caller {
			s.breaks(rightProcess)
		}
		if m.duplicateAgain {
			a.socket = s.caller[a.process].fd
		}
		s.act(a, m)
	case release:
		a.held, a.at = a.held && m.releaseLate, respond
		if m.slotLate && a.bound {
			s.writeDown(i)
		}
		if m.slotEarly {
			s.slot[i] = slot{}
		}
	case respond:
		if m.noReply && a.err == eperm {
			a.at = end
			break
		}
		a.lost = !s.respondFrom(a)
		a.replies++
		if m.replyTwice && a.replies == 1 {
			break
		}
		a.at = end
		if a.lost && a.bound && !m.noOrphans {
			a.at = remember
		}
	case remember:
		s.orphan[a.socket], a.at = orphan{asked: a.asked}, end
	case end:
		for k := range s.attempt {
			if s.attempt[k].at == begin && int(s.attempt[k].behind) == i {
				s.attempt[k].behind = none
			}
		}
		*a = attempt{}
		if !m.slotKept {
			s.slot[i] = slot{}
		}
	}
	return true
}

// respondFrom answers an attempt and returns what the kernel reports. With late
// signals the kernel accepts the answer and then drops it.
func (s *state) respondFrom(a *attempt) bool {
	late := s.lateSignals && !s.waitKillable && s.signals > 0 && a.caller == A
	if late && s.valid(a.notification) {
		s.signals--
		s.caller[A].wait = running
		return true
	}
	return s.respond(a)
}

// finish sets the result of an attempt. Only its release and its answer are left.
func (a *attempt) finish(err errno) { a.err, a.at = err, release }
