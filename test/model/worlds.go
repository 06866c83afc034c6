package model

// powers says how many calls each caller may make, how many signals, rewrites, swaps and
// connections the attacker has, and how many successors an agent.
type powers struct {
	callsOfA, callsOfB, callsOfC, signals, rewrites, swaps, connects, successors uint8

	listening, poison bool
}

// Each world has only some of the powers: with all of them at the same time there
// are too many states to visit.
var (
	changing       = powers{callsOfA: 2, rewrites: 2, swaps: 2}
	signalled      = powers{callsOfA: 2, signals: 2, rewrites: 1, swaps: 1}
	signalledAlone = powers{callsOfA: 2, signals: 2}
	reused         = powers{callsOfA: 1, callsOfB: 1, signals: 1, rewrites: 1, swaps: 1}
	twoContained   = powers{callsOfA: 1, callsOfC: 1, signals: 1, rewrites: 1}

	succeeded          = powers{callsOfA: 2, signals: 1, successors: 2}
	succeededChanging  = powers{callsOfA: 2, rewrites: 1, swaps: 1, successors: 1}
	succeededReused    = powers{callsOfA: 1, callsOfB: 1, successors: 2}
	succeededContained = powers{callsOfA: 1, callsOfC: 1, rewrites: 1, successors: 1}
	succeededBlocked   = powers{callsOfA: 1, rewrites: 1, successors: 2}
	succeededListening = powers{callsOfA: 3, connects: 1, successors: 1, listening: true}
	poisoned           = powers{callsOfA: 1, callsOfC: 1, rewrites: 1, successors: 3, poison: true}
)

// worlds returns the states from which the exploration starts: for each of the
// given powers, with and without WAIT_KILLABLE_RECV and a shared file table.
func worlds(given ...powers) (starts []state) {
	for _, p := range given {
		for _, waitKillable := range []bool{false, true} {
			for _, shared := range []bool{false, true} {
				s := state{
					waitKillable: waitKillable, shared: shared,
					signals: p.signals, rewrites: p.rewrites, swaps: p.swaps,
					connects: p.connects, successors: p.successors,
					listening: p.listening, poison: p.poison,
				}
				s.caller[A] = caller{alive: true, callsLeft: p.callsOfA, memory: allowed, fd: A}
				s.caller[B] = caller{callsLeft: p.callsOfB, memory: allowed, fd: B}
				s.caller[C] = caller{alive: true, callsLeft: p.callsOfC, memory: allowed, fd: C}
				starts = append(starts, s)
			}
		}
	}
	return starts
}
