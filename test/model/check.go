package model

import (
	"fmt"
	"slices"
	"strings"
)

// An invariant is a property that every state must have. It is a number, not a
// string: states that contain no string are compared faster.
type invariant uint8

const (
	allHold invariant = iota // no invariant is broken
	allowedOnly
	rightProcess
	answeredOnce
	everAnswered
	interruptedOnce
	truthful
	boundedWork
	nothingHeld
	notGone
	toldOnce
	notBlamed
	mayListen
)

var invariants = [...]string{
	allHold:         "all invariants hold",
	allowedOnly:     "an internet socket is bound to an allowed port only",
	rightProcess:    "nothing is done for a process other than the one that asked",
	answeredOnce:    "a call is answered once",
	everAnswered:    "a live caller that waits is answered in the end",
	interruptedOnce: "a bind that is repeated after a signal does not fail with EINVAL",
	truthful:        "success means that the socket is bound to the address that was asked for",
	boundedWork:     "the attempts of one container are bounded in number",
	nothingHeld:     "no duplicate is open once the caller has its answer",
	notGone:         "a live caller does not get ESRCH",
	toldOnce:        "a second bind of a socket fails, unless an agent ended over it",
	notBlamed:       "a call is not refused for what another one did to the agent",
	mayListen:       "listen is not refused to a socket that its caller knows to be bound",
}

func (v invariant) String() string { return invariants[v] }

// An action is a named step. take changes the state and returns true if the step
// is possible, and returns false otherwise.
type action struct {
	name string
	take func(*state) bool
}

// table returns one action for each step and each of n actors.
func table(n int, steps map[string]func(*state, int) bool) (actions []action) {
	for name, take := range steps {
		for i := range n {
			actions = append(actions, action{
				name: fmt.Sprintf("%s [%d]", name, i),
				take: func(s *state) bool { return take(s, i) },
			})
		}
	}
	slices.SortFunc(actions, func(a, b action) int { return strings.Compare(a.name, b.name) })
	return actions
}

// violated returns the invariant that s breaks, or allHold.
func violated(s *state, supervisorCanMove bool) invariant {
	inHand := 0
	for i := range s.attempt {
		a := &s.attempt[i]
		if a.at != idle && a.caller != C {
			inHand++
		}
		switch {
		case a.replies > 1:
			return answeredOnce
		case a.replies > 0 && a.held:
			return nothingHeld
		}
	}
	if s.broken != allHold {
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
	// A's missing page may hold up A's own container, but never C's.
	for c, caller := range s.caller {
		mayWait := c != C && s.caller[A].stuck
		if caller.wait != running && !supervisorCanMove && !s.dead && !mayWait {
			return everAnswered
		}
	}
	return allHold
}

// A result is what explore found. violation is allHold if no invariant is broken;
// trace is empty then.
type result struct {
	states    int
	violation invariant
	trace     []string
}

// An origin tells how a state was first reached: by which action, and from which
// state. Both are indexes, and -1 for a start.
type origin struct {
	before int32
	action int16
}

// explore visits every state that can be reached from starts, nearest first, so
// that the first violation found has the shortest trace.
func explore(starts []state, m mutation) result {
	supervisor := supervisorSteps(m)
	actions := slices.Concat(supervisor, kernelSteps, attackerSteps)
	reached := newVisited()
	var origins []origin
	for i := range starts {
		reached.add(&starts[i])
		origins = append(origins, origin{-1, -1})
	}
	for i := 0; i < len(reached.states); i++ {
		supervisorCanMove := false
		for k := range actions {
			next := reached.states[i]
			if !actions[k].take(&next) {
				continue
			}
			if k < len(supervisor) && !next.dead {
				supervisorCanMove = true
			}
			if reached.add(&next) {
				origins = append(origins, origin{int32(i), int16(k)})
			}
		}
		if v := violated(&reached.states[i], supervisorCanMove); v != allHold {
			r := result{states: len(reached.states), violation: v}
			for at := int32(i); origins[at].before >= 0; at = origins[at].before {
				r.trace = append(r.trace, fmt.Sprintf("%s → %+v",
					actions[origins[at].action].name, reached.states[at]))
			}
			slices.Reverse(r.trace)
			return r
		}
	}
	return result{states: len(reached.states)}
}
