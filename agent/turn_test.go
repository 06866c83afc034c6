package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The worker and the watch race for the receiver's part of each call. Exactly one of
// them must have it afterwards.
func TestTheReceiversPartIsPassedOnOnceOrNotAtAll(t *testing.T) {
	var turn turn
	require.EqualValues(t, turnIdle, phase(turn.load()))

	call := turn.begin()
	require.EqualValues(t, turnTaken, phase(turn.load()))
	require.True(t, turn.end(call), "nobody took the receiver's part")
	require.EqualValues(t, turnIdle, phase(turn.load()))
	require.False(t, turn.pass(call), "the call has ended")

	next := turn.begin()
	require.NotEqual(t, call, next)
	require.False(t, turn.pass(call), "a state from before this call")
	require.True(t, turn.pass(next))
	require.False(t, turn.pass(turn.load()), "it was passed on already")
	require.False(t, turn.end(next), "the watch has taken the receiver's part")

	last := turn.begin()
	require.True(t, turn.end(last))
}
