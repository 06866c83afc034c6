package model

// decide chooses how to serve the call: by the policy, and by the kind of socket.
func (s *state) decide(a *attempt, m mutation) {
	if a.listen {
		s.decideListen(a, m)
		return
	}
	internet := !isUnix(a.socket)
	if m.checkOfFamily {
		internet = a.asked != unspec
	}
	switch {
	case m.alwaysContinue && (!internet || a.asked.permitted()):
		a.finish(native)
	case internet && !a.asked.permitted() && !m.noPolicy:
		a.finish(eperm)
	case internet:
		a.at = act
	case s.claim(a, m):
		a.finish(ok)
	case !s.shared || a.process != A || m.continueShared: // Thread.KeepsSocket
		a.finish(native)
	default:
		a.at = context
	}
}

// act binds the duplicate, with the address that was copied.
func (s *state) act(a *attempt, m mutation) {
	if a.caller != a.process || a.caller != a.source || a.caller != ownerOf(a.socket) {
		s.breaks(rightProcess)
	}
	if a.listen {
		a.finish(s.listenSocket(a.socket))
		return
	}
	a.err = s.bindSocket(a.socket, a.asked)
	switch orphan := s.orphan[a.socket].asked; {
	case a.err != ok && orphan != unset:
		a.at = settle
		return
	case a.err == ok:
		a.bound, a.holds = true, true
		if orphan == a.asked { // a predecessor had not come so far
			s.orphan[a.socket] = noOrphan
		}
	}
	s.afterBind(a)
}

// settle models attempt.settle for a bind that failed because the socket is bound.
func (s *state) settle(a *attempt, m mutation) {
	if s.claim(a, m) {
		a.err = ok
	}
	s.afterBind(a)
}

// afterBind models the rest of attempt.bind.
func (s *state) afterBind(a *attempt) {
	if s.listening && a.holds && !isUnix(a.socket) {
		a.at = note
		return
	}
	a.finish(a.err)
}

// claim models attempt.claimOrphan, orphans.claim and attempt.wasMade.
func (s *state) claim(a *attempt, m mutation) bool {
	before := s.orphan[a.socket]
	if before.asked == unset || before.asked != a.asked && !m.orphanOfAnyAddress {
		return false
	}
	s.orphan[a.socket] = noOrphan
	sock := &s.socket[a.socket]
	if before.begun && !m.begunUnseen && sock.name() != before.asked {
		return false
	}
	a.bound = true
	a.holds = before.begun && (sock.named() && !m.takenNever || m.takenByName)
	return true
}
