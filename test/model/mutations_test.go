package model

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWithoutAProtection shows that the supervisor breaks an invariant if any one of
// its protections is taken out. So each protection is needed, and the model is able
// to fail.
func TestWithoutAProtection(t *testing.T) {
	breakWithout(t, map[string]protection{
		"ID_VALID": {
			mutation{noCheck: true}, reused, rightProcess,
		},
		"ID_VALID only once everything is open": {
			mutation{checkFirst: true}, reused, rightProcess,
		},
		"ID_VALID again before the helper's call": {
			mutation{noRecheck: true}, reused, rightProcess,
		},
		"the policy": {
			mutation{noPolicy: true}, changing, allowedOnly,
		},
		"the socket's own domain": {
			mutation{checkOfFamily: true}, changing, allowedOnly,
		},
		"the address copied once": {
			mutation{readAgain: true}, changing, allowedOnly,
		},
		"the socket duplicated once": {
			mutation{duplicateAgain: true}, changing, allowedOnly,
		},
		"no CONTINUE for internet sockets": {
			mutation{alwaysContinue: true}, changing, allowedOnly,
		},
		"CONTINUE only for a file table that nobody shares": {
			mutation{continueShared: true}, changing, allowedOnly,
		},
		"orphans, whose callers were called away, remembered": {
			mutation{noOrphans: true}, signalledAlone, interruptedOnce,
		},
		"the orphan's address compared": {
			mutation{orphanOfAnyAddress: true}, signalled, truthful,
		},
		"waiting for the thread's earlier call": {
			mutation{noWaitForEarlier: true}, signalledAlone, interruptedOnce,
		},
		"one reply": {
			mutation{replyTwice: true}, changing, answeredOnce,
		},
		"a reply to a refused call": {
			mutation{noReply: true}, changing, everAnswered,
		},
		"a bound on the attempts": {
			mutation{unbounded: true}, signalled, boundedWork,
		},
		"other workers while an attempt blocks": {
			mutation{oneLoop: true}, twoContained, everAnswered,
		},
		"a kept pidfd opened anew once its thread has ended": {
			mutation{noReopen: true}, reused, notGone,
		},
		"the duplicate closed before the answer": {
			mutation{releaseLate: true}, changing, nothingHeld,
		},
		"listen decided by what bind named": {
			mutation{listenByName: true}, succeededListening, allowedOnly,
		},
	})
}

// A protection is a mutation that takes it out, and the invariant that breaks without it.
type protection struct {
	without mutation
	in      powers
	breaks  invariant
}

func breakWithout(t *testing.T, protections map[string]protection) {
	for name, p := range protections {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := explore(worlds(p.in), p.without)
			t.Logf("%d states, %d steps: %s", r.states, len(r.trace), r.violation)
			require.Equal(t, p.breaks, r.violation, strings.Join(r.trace, "\n"))
		})
	}
}
