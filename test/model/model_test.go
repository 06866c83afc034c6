package model

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInvariantsHold shows that no interleaving breaks an invariant: for example, no
// forbidden port is bound, and no caller is left waiting.
func TestInvariantsHold(t *testing.T) {
	for name, p := range map[string]powers{
		"changing": changing, "signalled": signalled, "reused": reused,
		"two containers": twoContained,

		"successors": succeeded, "successors, changing": succeededChanging,
		"successors, reused": succeededReused, "successors, two containers": succeededContained,
		"successors, blocked": succeededBlocked, "successors, listening": succeededListening,
		"poisoned": poisoned,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := explore(worlds(p), mutation{})
			t.Logf("%d states", r.states)
			require.Equal(t, allHold, r.violation, strings.Join(r.trace, "\n"))
		})
	}
}

// TestTheAnswerTakenAndDropped shows that the model finds the one loss that cannot be
// prevented without WAIT_KILLABLE_RECV: the kernel accepts an answer and drops it,
// since the thread already turns to a signal. See docs/security.md, "What can't be
// closed".
func TestTheAnswerTakenAndDropped(t *testing.T) {
	starts := worlds(signalled)
	for i := range starts {
		starts[i].lateSignals = true
	}
	r := explore(starts, mutation{})
	require.Equal(t, interruptedOnce, r.violation, strings.Join(r.trace, "\n"))
}
