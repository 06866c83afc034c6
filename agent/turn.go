package agent

import "sync/atomic"

// A turn is the state of the call that a worker has in hand. The worker and the
// watch both change it: the worker begins and ends calls, and the watch passes on
// the receiver's part of a worker that one call holds up. Each change is atomic,
// so exactly one of the two is responsible for the receiver's part afterwards.
//
// The value is the number of the call, shifted left by two, and the call's phase.
type turn struct{ value atomic.Uint64 }

// The phases of a call. Its phase is idle once it has ended.
const (
	turnIdle   = 0
	turnTaken  = 1 // the worker is the receiver of its session
	turnPassed = 2 // the watch has passed the receiver's part on
	turnPhase  = 3
)

// begin starts a call and returns its state.
func (t *turn) begin() (call uint64) {
	call = (t.value.Load() | turnPhase) + 1 | turnTaken
	t.value.Store(call)
	return call
}

// end ends the call that begin returned. It reports whether the worker is still
// the receiver.
func (t *turn) end(call uint64) bool {
	return t.value.CompareAndSwap(call, call&^turnPhase)
}

// load returns the current state, which phase and pass take.
func (t *turn) load() (state uint64) { return t.value.Load() }

func phase(state uint64) uint64 { return state & turnPhase }

// pass takes the receiver's part from the worker if its state is unchanged and it
// has that part. It reports whether it did.
func (t *turn) pass(state uint64) bool {
	return phase(state) == turnTaken && t.value.CompareAndSwap(state, state&^turnPhase|turnPassed)
}
