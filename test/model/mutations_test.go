package model

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Without any one of its protections the engine must break an invariant: this
// shows that the protection is needed, and that the model can fail.
func TestWithoutAProtection(t *testing.T) {
	for name, c := range map[string]struct {
		without mutation
		in      powers
		breaks  invariant
	}{
		"ID_VALID":                                     {mutation{noCheck: true}, reused, rightProcess},
		"ID_VALID after the handles are open":          {mutation{checkFirst: true}, reused, rightProcess},
		"ID_VALID again before the helper":             {mutation{noRecheck: true}, reused, rightProcess},
		"the policy":                                   {mutation{noPolicy: true}, changing, allowedOnly},
		"the socket's own domain":                      {mutation{checkOfFamily: true}, changing, allowedOnly},
		"the address copied once":                      {mutation{readAgain: true}, changing, allowedOnly},
		"the socket duplicated once":                   {mutation{duplicateAgain: true}, changing, allowedOnly},
		"never CONTINUE for internet sockets":          {mutation{alwaysContinue: true}, changing, allowedOnly},
		"CONTINUE only for a file table of its own":    {mutation{continueShared: true}, changing, allowedOnly},
		"memory of binds whose caller was called away": {mutation{noOrphans: true}, signalledAlone, interruptedOnce},
		"the orphan's address compared":                {mutation{orphanOfAnyAddress: true}, signalled, truthful},
		"waiting for the earlier call of the thread":   {mutation{noWaitForEarlier: true}, signalledAlone, interruptedOnce},
		"one reply":                                        {mutation{replyTwice: true}, changing, answeredOnce},
		"a reply to what is refused":                       {mutation{noReply: true}, changing, everAnswered},
		"a bound on the work in hand":                      {mutation{unbounded: true}, signalled, boundedWork},
		"blocking work apart":                              {mutation{oneLoop: true}, twoContained, everAnswered},
		"a kept pidfd opened anew once its thread is gone": {mutation{noReopen: true}, reused, notGone},
		"the duplicate closed before the answer":           {mutation{releaseLate: true}, changing, nothingHeld},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := explore(worlds(c.in), c.without)
			t.Logf("%d states, %d steps: %s", r.states, len(r.trace), r.violation)
			require.Equal(t, c.breaks, r.violation, strings.Join(r.trace, "\n"))
		})
	}
}
