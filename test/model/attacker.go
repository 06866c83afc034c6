package model

// attackerSteps are what A's other threads can do at any time.
var attackerSteps = table(1, map[string]func(*state, int) bool{
	"rewrites the sockaddr: allowed":      rewrite(allowed),
	"rewrites the sockaddr: also allowed": rewrite(alsoAllowed),
	"rewrites the sockaddr: forbidden":    rewrite(forbidden),
	"rewrites the sockaddr: AF_UNSPEC":    rewrite(unspec),
	"swaps the fd by dup2":                swap,
	"takes the page away":                 takePage,
	"connects":                            connects,
	"disconnects":                         disconnects,
})

// rewrite returns a step that changes the sockaddr in A's memory. The step needs
// no second thread of A: another process that shares the page can take it.
func rewrite(to address) func(*state, int) bool {
	return func(s *state, _ int) bool {
		if s.rewrites == 0 || !s.caller[A].alive || s.caller[A].memory == to {
			return false
		}
		s.rewrites--
		s.caller[A].memory = to
		return true
	}
}

// swap makes A's fd number refer to A's other socket. While A waits, only a thread
// that shares A's file table can swap. Between its calls, A itself can.
func swap(s *state, _ int) bool {
	a := &s.caller[A]
	if s.swaps == 0 || !a.alive || a.wait != running && !s.shared {
		return false
	}
	s.swaps--
	if a.fd == A {
		a.fd = unixOfA
	} else {
		a.fd = A
	}
	return true
}

// takePage removes the page of A's sockaddr and never brings it back: the worst
// case for a supervisor that reads it.
func takePage(s *state, _ int) bool {
	a := &s.caller[A]
	if !a.alive || a.stuck || s.rewrites == 0 {
		return false
	}
	s.rewrites--
	a.stuck = true
	return true
}
