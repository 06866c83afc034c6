package model

// named reports whether bind(2) gave the socket its port: the kernel never takes it away.
func (k *socket) named() bool { return k.at != unset && !k.picked }

// name is getsockname(2).
func (k *socket) name() address {
	if k.at == unset && k.stale {
		return allowed
	}
	return k.at
}

// connects is connect(2) on A's internet socket. In the worst case the kernel picks a port
// that the policy allows.
func connects(s *state, _ int) bool {
	if s.connects == 0 || !s.caller[A].alive || s.socket[A].at != unset {
		return false
	}
	s.connects--
	s.socket[A].at, s.socket[A].picked = allowed, true
	return true
}

// disconnects is connect(2) to AF_UNSPEC.
func disconnects(s *state, _ int) bool {
	if !s.caller[A].alive || !s.socket[A].picked {
		return false
	}
	s.socket[A].at, s.socket[A].picked, s.socket[A].stale = unset, false, true
	return true
}

// callsListen makes A call listen instead of bind.
func callsListen(s *state, i int) bool {
	if !s.listening || i != A || !calls(s, i) {
		return false
	}
	s.caller[i].listen = true
	return true
}

// listenSocket is listen(2). The kernel picks a port for a socket that has none.
func (s *state) listenSocket(number uint8) errno {
	sock := &s.socket[number]
	if sock.picked {
		return einval // it is connected
	}
	if sock.at == unset {
		sock.at = forbidden
	}
	sock.listens = true
	return ok
}

// decideListen models attempt.listen. The policy does not allow port 0.
func (s *state) decideListen(a *attempt, m mutation) {
	at := s.bound[a.socket]
	if m.listenByName {
		at = s.socket[a.socket].name()
	}
	if at.permitted() {
		a.at = act
	} else {
		a.finish(eperm)
	}
}

// listenAnswered checks the answer to listen.
func (s *state) listenAnswered(a *attempt) {
	if a.socket == none {
		return
	}
	sock := &s.socket[a.socket]
	switch {
	case a.err == ok && !sock.listens:
		s.breaks(truthful)
	case a.err == eperm && sock.named() && sock.credited:
		s.breaks(mayListen)
	}
}
