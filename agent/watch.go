package agent

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// watchEvery is how long a worker may be busy with one call before
	// another takes over what else the container asks.
	watchEvery = 2 * time.Millisecond

	// hotWait is how long a worker stays with a session that was just active,
	// in the kernel's receive. There it is woken directly, on the CPU of the
	// caller; the epoll set costs a third of a bind's time more.
	hotWait = 20 * time.Millisecond
)

// watchBusy counts a busy worker, and sees to it that the watch wakes.
func (e *Engine) watchBusy() {
	e.busy.Add(1)
	if e.watched.CompareAndSwap(false, true) {
		e.watchLater()
	}
}

// watchLater sets the timer of which some worker that waits will hear: a
// goroutine that sleeps would wake three threads before the call is looked at.
func (e *Engine) watchLater() {
	in := unix.ItimerSpec{Value: unix.NsecToTimespec(watchEvery.Nanoseconds())}
	rawTimerfdSettime(e.timer, &in)
}

// watch passes the receiver's part on for workers that a call holds up: the
// target may have it block for ever, and the container's other processes must
// not wait for that. It recalls workers whose session is silent. It comes back
// only while some worker is busy.
func (e *Engine) watch() {
	e.mu.Lock()
	var stuck []*session
	for w := range e.workers {
		turn := w.turn.Load()
		// The session first: once the turn is passed the worker may go on to
		// another one.
		s := w.session.Load()
		switch {
		case s == nil || w.seen != turn:
			w.silent = 0
		case turn&turnMask == 0:
			if w.silent++; w.silent*int(watchEvery) >= int(hotWait) {
				w.recall()
			}
		case turn&turnMask == turnTaken && w.turn.CompareAndSwap(turn, turn&^turnMask|turnPassed):
			e.busy.Add(-1)
			stuck = append(stuck, s)
		}
		w.seen = turn
	}
	e.mu.Unlock()
	for _, s := range stuck {
		s.passOn()
	}
	if e.busy.Load() == 0 {
		e.watched.Store(false)
		if e.busy.Load() == 0 || !e.watched.CompareAndSwap(false, true) {
			return
		}
	}
	e.watchLater()
}

// recall ends the wait of a worker in its session's receive. The signal, which
// the Go runtime sends to its own threads as well, has the kernel begin that
// call anew, and a struct that is not zero any more has it refuse to. Wherever
// else the worker is, neither means anything.
func (w *worker) recall() {
	w.n.Flags.Store(recalled)
	_ = unix.Tgkill(os.Getpid(), w.tid, unix.SIGURG)
}

// recallAll is for the end.
func (e *Engine) recallAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.workers {
		w.recall()
	}
}
