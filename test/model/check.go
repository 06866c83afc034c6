package model

import (
	"fmt"
	"slices"
	"strings"
)

// An invariant is a number, since a state that holds no string is compared faster.
type invariant uint8

const (
	all invariant = iota // hold
	allowedOnly
	rightProcess
	answeredOnce
	everAnswered
	interruptedOnce
	truthful
	boundedWork
	nothingHeld
	notGone
)

var invariants = [...]string{
	allowedOnly:     "an internet socket is bound to an allowed port only",
	rightProcess:    "no act for a process other than the one that asked",
	answeredOnce:    "a call is answered once",
	everAnswered:    "a live caller that waits is answered in the end",
	interruptedOnce: "a bind repeated after a signal is not told EINVAL",
	truthful:        "success means bound to what was asked",
	boundedWork:     "calls in hand of one container are bounded",
	nothingHeld:     "no duplicate is held once the caller has its answer",
	notGone:         "a live caller is not told that it is gone",
}

func (v invariant) String() string { return invariants[v] }

// An action is a named step that may or may not be possible; possible ones change the state.
type action struct {
	name string
	take func(*state) bool
}

// table makes an action of each function for each of n actors.
func table(n int, steps map[string]func(*state, int) bool) (actions []action) {
	for name, take := range steps {
		for i := range n {
			actions = append(actions, action{fmt.Sprintf("%s [%d]", name, i), func(s *state) bool { return take(s, i) }})
		}
	}
	slices.SortFunc(actions, func(a, b action) int { return strings.Compare(a.name, b.name) })
	return actions
}

// violated names the invariant that s breaks.
func violated(s *state, engineCanMove bool) invariant {
	inHand := 0
	for i := range s.job {
		j := &s.job[i]
		if j.at != idle && j.caller != C {
			inHand++
		}
		switch {
		case j.replies > 1:
			return answeredOnce
		case j.replies > 0 && j.held:
			return nothingHeld
		}
	}
	if s.broken != all {
		return s.broken
	}
	for number, sock := range s.socket {
		if !isUnix(uint8(number)) && sock.at != unset && !sock.at.permitted() {
			return allowedOnly
		}
	}
	if inHand > limit {
		return boundedWork
	}
	// A's page holds up its own container at most.
	for c, caller := range s.caller {
		if caller.wait != running && !engineCanMove && !s.dead && (c == C || !s.caller[A].stuck) {
			return everAnswered
		}
	}
	return all
}

// A result is what explore found; violation is all if all hold.
type result struct {
	states    int
	violation invariant
	trace     []string
}

type origin struct {
	before int32
	action int16
}

// explore visits every state that can be reached, nearest first, so that the
// first violation found has the shortest trace.
func explore(starts []state, m mutation) result {
	engine := engineSteps(m)
	actions := slices.Concat(engine, kernelSteps, attackerSteps)
	seen := make(map[state]struct{})
	var queue []state
	var origins []origin
	add := func(s state, from origin) {
		if _, ok := seen[s]; !ok {
			seen[s] = struct{}{}
			queue, origins = append(queue, s), append(origins, from)
		}
	}
	for _, s := range starts {
		add(s, origin{-1, -1})
	}
	for i := 0; i < len(queue); i++ {
		engineCanMove := false
		for k := range actions {
			next := queue[i]
			if !actions[k].take(&next) {
				continue
			}
			if k < len(engine) && !next.dead {
				engineCanMove = true
			}
			add(next, origin{int32(i), int16(k)})
		}
		if v := violated(&queue[i], engineCanMove); v != all {
			r := result{states: len(queue), violation: v}
			for at := int32(i); origins[at].before >= 0; at = origins[at].before {
				r.trace = append(r.trace, fmt.Sprintf("%s → %+v", actions[origins[at].action].name, queue[at]))
			}
			slices.Reverse(r.trace)
			return r
		}
	}
	return result{states: len(queue)}
}

// powers are how often the attacker may do what.
type powers struct{ callsOfA, callsOfB, callsOfC, signals, rewrites, swaps uint8 }

// All at once are too many states.
var (
	changing       = powers{callsOfA: 2, rewrites: 2, swaps: 2}
	signalled      = powers{callsOfA: 2, signals: 2, rewrites: 1, swaps: 1}
	signalledAlone = powers{callsOfA: 2, signals: 2}
	reused         = powers{callsOfA: 1, callsOfB: 1, signals: 1, rewrites: 1, swaps: 1}
	twoContained   = powers{callsOfA: 1, callsOfC: 1, signals: 1, rewrites: 1}
)

// worlds are the states in which everything begins.
func worlds(given ...powers) (starts []state) {
	for _, p := range given {
		for _, waitKillable := range []bool{false, true} {
			for _, shared := range []bool{false, true} {
				s := state{waitKillable: waitKillable, shared: shared, signals: p.signals, rewrites: p.rewrites, swaps: p.swaps}
				s.caller[A] = caller{alive: true, callsLeft: p.callsOfA, memory: allowed, fd: A}
				s.caller[B] = caller{callsLeft: p.callsOfB, memory: allowed, fd: B}
				s.caller[C] = caller{alive: true, callsLeft: p.callsOfC, memory: allowed, fd: C}
				starts = append(starts, s)
			}
		}
	}
	return starts
}
