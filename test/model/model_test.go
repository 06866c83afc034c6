package model

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInvariantsHold(t *testing.T) {
	r := explore(worlds(changing, signalled, reused, twoContained), mutation{})
	t.Logf("%d states", r.states)
	require.Equal(t, all, r.violation, strings.Join(r.trace, "\n"))
}

// The answer that the kernel takes and drops is the one loss that can't be
// prevented without WAIT_KILLABLE_RECV: docs/security.md, What can't be closed.
func TestTheAnswerTakenAndDropped(t *testing.T) {
	starts := worlds(signalled)
	for i := range starts {
		starts[i].lateSignals = true
	}
	r := explore(starts, mutation{})
	require.Equal(t, interruptedOnce, r.violation, strings.Join(r.trace, "\n"))
}
