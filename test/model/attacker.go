package model

// What A's other threads do, at any time.
var attackerSteps = table(1, map[string]func(*state, int) bool{
	"rewrites the sockaddr: allowed":      rewrite(allowed),
	"rewrites the sockaddr: also allowed": rewrite(alsoAllowed),
	"rewrites the sockaddr: forbidden":    rewrite(forbidden),
	"rewrites the sockaddr: AF_UNSPEC":    rewrite(unspec),
	"swaps the fd by dup2":                swap,
	"takes the page away":                 takePage,
})

// rewrite needs no thread: a process that shares the page can do it.
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

// swap: only who shares the file table can while A waits; A itself can between its calls.
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

// takePage, and never bring it back: the worst for whoever reads it.
func takePage(s *state, _ int) bool {
	a := &s.caller[A]
	if !a.alive || a.stuck || s.rewrites == 0 {
		return false
	}
	s.rewrites--
	a.stuck = true
	return true
}
