package agent

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// watchFirst to watchLast: how long a worker may be busy with one call
	// before another takes over what else the container asks. Each look
	// disturbs the binds under way, so the next one comes later and later
	// while none finds anything, until another session becomes active.
	watchFirst = 2 * time.Millisecond
	watchLast  = 8 * time.Millisecond

	// hotWait is how long a worker stays with a session that was just active,
	// in the kernel's receive. There it is woken directly, on the CPU of the
	// caller; the epoll set costs a third of a bind's time more.
	hotWait = 20 * time.Millisecond

	// sweepLast is how long after the last signal a worker that is left behind
	// gets another one, at most.
	sweepLast = time.Second
)

// watchBusy counts a busy worker, and sees to it that the watch wakes.
func (e *Engine) watchBusy() {
	e.busy.Add(1)
	e.fresh.Store(true)
	if e.watched.CompareAndSwap(false, true) {
		e.watchLater(watchFirst)
	}
}

// watchLater sets the timer of which some worker that waits will hear: a
// goroutine that sleeps would wake three threads before the call is looked at.
func (e *Engine) watchLater(after time.Duration) {
	in := unix.ItimerSpec{Value: unix.NsecToTimespec(after.Nanoseconds())}
	// It can't fail: the fd is ours, the time is valid.
	_ = unix.TimerfdSettime(e.timer, 0, &in, nil)
}

// watch passes the receiver's part on for workers that a call holds up: the
// target may have it block for ever, and the container's other processes must
// not wait for that. It recalls workers whose session is silent. It comes back
// only while some worker is busy.
func (e *Engine) watch() {
	e.mu.Lock()
	e.watchAfter = min(2*e.watchAfter, watchLast)
	if e.fresh.Swap(false) {
		e.watchAfter = watchFirst
	}
	next := e.watchAfter
	var stuck []*session
	for w := range e.workers {
		turn := w.turn.Load()
		// The session first: once the turn is passed the worker may go on to
		// another one.
		s := w.session.Load()
		switch {
		case s == nil || w.seen != turn:
			w.silent = time.Time{}
		case turn&turnMask == 0:
			if w.silent.IsZero() {
				w.silent = time.Now()
			}
			if time.Since(w.silent) >= hotWait || s.calls.crowded() {
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
	e.watchLater(next)
}

// recall ends the wait of a worker in its session's receive. The signal, which
// the Go runtime sends to its own threads as well, has the kernel begin that
// call anew, and a struct that is not zero any more has it refuse to. Wherever
// else the worker is, neither means anything.
func (w *worker) recall() {
	w.n.Flags.Store(recalled)
	_ = unix.Tgkill(os.Getpid(), w.tid, unix.SIGURG)
}

// recall recalls the workers of a session, or of all if s is nil.
func (e *Engine) recall(s *session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for w := range e.workers {
		if s == nil || w.session.Load() == s {
			w.recall()
		}
	}
}

// sweep frees the workers that a session leaves behind. Our duplicate of a
// socket can be the last one by then, and its close lingers as long as the
// target asked for (SO_LINGER), until a signal comes. A wait that none ends is
// one for the lock of a socket that somebody else has, too.
func (e *Engine) sweep(s *session, after time.Duration) {
	if s.ended() {
		// Not before: a container that comes back by the same id finds the
		// calls that it left blocked, and counts them.
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.containers[s.container] == s.calls && s.calls.sessions == 0 && s.calls.idle() {
			delete(e.containers, s.container)
		}
		return
	}
	time.AfterFunc(after, func() {
		e.recall(s)
		e.sweep(s, min(2*after, sweepLast))
	})
}
