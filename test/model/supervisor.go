package model

// limit is inFlightLimit, session.go: how many calls of one container are in
// hand at once. A container has that many jobs here, and one more that only a
// mutated engine uses.
const (
	limit = 2
	jobs  = limit + 2 // A's and B's container: 0, 1, (2); C's: the last
	none  = 255
)

// At which step a job is; the names are those of the functions in agent.
type step uint8

const (
	idle      step = iota
	begin          // orphans.begin, handle's <-earlier
	open           // openThread
	read           // decodeCall, target.read
	duplicate      // target.socket
	check          // attempt.valid, in look
	decide         // kindOf, attempt.bind, inTargetsContext
	act            // rawBind
	context        // thread.context
	recheck        // stillValid, in actAsTarget
	asTarget       // the helper's call
	release        // attempt.release
	respond        // kernel.respond
	remember       // orphans.remember
	end            // orphans.end, session.leave
)

// A job is one attempt, attempt.go.
type job struct {
	at                 step
	caller, generation uint8 // the notification's id
	behind             uint8 // the job of the same thread that must end first
	process            uint8 // whom the pidfd names
	source             uint8 // whose memory was read
	asked              address
	socket             uint8 // the duplicate
	held               bool  // the duplicate is open
	identity           uint8 // whose credentials the helper takes
	err                errno
	bound, lost        bool // lost: respond said ENOENT
	replies            uint8
}

// A mutation takes one protection out of the engine.
type mutation struct {
	noCheck, checkFirst, noRecheck, checkOfFamily, readAgain, duplicateAgain, alwaysContinue,
	continueShared, noOrphans, orphanOfAnyAddress, noWaitForEarlier, replyTwice, noReply,
	unbounded, oneLoop, releaseLate, noPolicy, noReopen bool
}

func engineSteps(m mutation) []action {
	return table(jobs, map[string]func(*state, int) bool{
		"receives": func(s *state, i int) bool { return receive(s, i, m) },
		"goes on":  func(s *state, i int) bool { return goOn(s, i, m) },
		"crashes":  crash,
	})
}

// crash: the kernel closes the notify fd, and every caller gets ENOSYS, now and
// later. There is no successor in the model.
func crash(s *state, i int) bool {
	if i != 0 || s.dead {
		return false
	}
	s.dead = true
	s.job, s.orphan, s.kept = [jobs]job{}, [sockets]address{}, [jobs]uint8{}
	for c := range s.caller {
		s.caller[c].wait = running
	}
	return true
}

// receive is receiveAll, worker.go, as bounded by passOn, session.go.
func receive(s *state, i int, m mutation) bool {
	if s.dead || s.job[i].at != idle || i == limit && !m.unbounded {
		return false
	}
	if m.oneLoop {
		for k := range s.job {
			if s.job[k].at != idle {
				return false
			}
		}
	}
	for c := range uint8(callers) {
		if s.caller[c].wait != sent || (c == C) != (i == jobs-1) {
			continue
		}
		s.caller[c].wait = received
		j := job{at: begin, caller: c, generation: s.caller[c].generation, behind: none, process: none, source: none, socket: none, identity: none}
		for k := range s.job { // the newest: none is behind it
			if other := &s.job[k]; c != C && other.at != idle && other.caller != C && !m.noWaitForEarlier && !hasFollower(s, k) {
				j.behind = uint8(k)
			}
		}
		s.job[i] = j
		return true
	}
	return false
}

func hasFollower(s *state, k int) bool {
	for i := range s.job {
		if s.job[i].at == begin && int(s.job[i].behind) == k {
			return true
		}
	}
	return false
}

// goOn takes the next step of handle (session.go), run and look (attempt.go),
// bind (bind.go), actAsTarget (astarget.go), in their order.
func goOn(s *state, i int, m mutation) bool {
	j := &s.job[i]
	switch j.at {
	case idle:
		return false
	case begin:
		if j.behind != none {
			return false
		}
		j.at = open
		if m.checkFirst && !s.valid(j) {
			j.fail(withdrawn)
		}
	case open:
		holder, alive := s.holder(j.caller)
		switch kept := s.kept[i]; {
		case kept != 0:
			j.process, j.at = kept-1, read
		case !alive:
			j.fail(esrch)
		default:
			j.process, j.at, s.kept[i] = holder, read, holder+1
		}
	case read: // by thread id, not by pidfd: process_vm_readv(2)
		holder, alive := s.holder(j.caller)
		if alive && s.caller[holder].stuck {
			return false
		}
		if alive {
			j.source, j.asked = holder, s.caller[holder].memory
		} else {
			j.err = esrch
		}
		j.at = duplicate
	case duplicate:
		j.at = check
		if holder, alive := s.holder(j.caller); alive && !m.noReopen && !s.caller[j.process].alive {
			j.process, s.kept[i] = holder, holder+1
		}
		if !s.caller[j.process].alive {
			j.err = esrch
			break
		}
		j.socket, j.held = s.caller[j.process].fd, true
	case check:
		switch {
		case !m.noCheck && !m.checkFirst && !s.valid(j):
			j.fail(withdrawn)
		case j.err != ok:
			j.fail(j.err)
		default:
			j.at = decide
		}
	case decide:
		s.decide(j, m)
	case act:
		if m.readAgain {
			j.asked = s.caller[j.source].memory
		}
		if m.duplicateAgain {
			j.socket = s.caller[j.process].fd
		}
		s.act(j, m)
	case context:
		j.identity, j.at = none, recheck
		if holder, alive := s.holder(j.caller); alive {
			j.identity = holder
		}
	case recheck:
		switch {
		case !m.noRecheck && !s.valid(j):
			j.fail(withdrawn)
		case j.identity == none:
			j.fail(eperm) // errNotActed
		default:
			j.at = asTarget
		}
	case asTarget:
		if j.identity != j.caller {
			s.breaks(rightProcess)
		}
		if m.duplicateAgain {
			j.socket = s.caller[j.process].fd
		}
		s.act(j, m)
	case release:
		j.held, j.at = j.held && m.releaseLate, respond
	case respond:
		if m.noReply && j.err == eperm {
			j.at = end
			break
		}
		j.lost = !s.respondFrom(j)
		j.replies++
		if m.replyTwice && j.replies == 1 {
			break
		}
		j.at = end
		if j.lost && j.bound && !m.noOrphans {
			j.at = remember
		}
	case remember:
		s.orphan[j.socket], j.at = j.asked, end
	case end:
		for k := range s.job {
			if s.job[k].at == begin && int(s.job[k].behind) == i {
				s.job[k].behind = none
			}
		}
		*j = job{}
	}
	return true
}

// respondFrom: what the kernel says; with late signals it takes the answer and drops it.
func (s *state) respondFrom(j *job) bool {
	if s.lateSignals && !s.waitKillable && s.signals > 0 && j.caller == A && s.valid(j) {
		s.signals--
		s.caller[A].wait = running
		return true
	}
	return s.respond(j)
}

func (j *job) fail(err errno) { j.err, j.at = err, release }

func (s *state) decide(j *job, m mutation) {
	internet := !isUnix(j.socket)
	if m.checkOfFamily {
		internet = j.asked != unspec
	}
	switch {
	case m.alwaysContinue && (!internet || j.asked.permitted()):
		j.fail(native)
	case internet && !j.asked.permitted() && !m.noPolicy:
		j.fail(eperm)
	case internet:
		j.at = act
	case s.claim(j, m):
		j.fail(ok)
	case !s.shared || j.process != A || m.continueShared: // target.exclusive
		j.fail(native)
	default:
		j.at = context
	}
}

func (s *state) act(j *job, m mutation) {
	if j.caller != j.process || j.caller != j.source || j.caller != ownerOf(j.socket) {
		s.breaks(rightProcess)
	}
	err := s.bindSocket(j.socket, j.asked)
	j.bound = err == ok
	if err == einval && s.claim(j, m) { // settle
		err = ok
	}
	j.fail(err)
}

// claim is repeats (bind.go) and orphans.claim.
func (s *state) claim(j *job, m mutation) bool {
	before := s.orphan[j.socket]
	if before == unset || before != j.asked && !m.orphanOfAnyAddress {
		return false
	}
	s.orphan[j.socket], j.bound = unset, true
	return true
}
