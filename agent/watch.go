package agent

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// watchFirst and watchLast bound how long a worker may be busy with one call
	// before another worker takes over what else the container asks. Each watch
	// disturbs the binds under way. So the interval doubles, up to watchLast, until
	// a session becomes active.
	watchFirst = 2 * time.Millisecond
	watchLast  = 8 * time.Millisecond

	// hotWait is how long a worker stays with a session that was just active,
	// waiting in the kernel's receive. There it is woken directly, on the CPU of
	// the caller. Waking it through the epoll set adds a third to the time of a bind.
	hotWait = 20 * time.Millisecond
)

// watchBusy counts a busy worker and makes sure that the watch will run.
func (s *Supervisor) watchBusy() {
	s.busy.Add(1)
	s.fresh.Store(true)
	if s.watched.CompareAndSwap(false, true) {
		s.watchLater(watchFirst)
	}
}

// watchLater sets the timer, which wakes one of the waiting workers. A goroutine
// that sleeps would wake three threads before the watch runs.
func (s *Supervisor) watchLater(after time.Duration) {
	in := unix.ItimerSpec{Value: unix.NsecToTimespec(after.Nanoseconds())}
	// It can't fail: the fd is a timerfd and the time is valid.
	_ = unix.TimerfdSettime(s.timer, 0, &in, nil)
}

// watch passes on the receiver's part of every worker that one call holds up: the
// target may block its call for ever, and the container's other processes must
// not wait for it. It also recalls workers whose session is silent. It runs again
// only while some worker is busy.
func (s *Supervisor) watch() {
	s.mu.Lock()
	s.watchAfter = min(2*s.watchAfter, watchLast)
	if s.fresh.Swap(false) {
		s.watchAfter = watchFirst
	}
	next := s.watchAfter
	var stuck []*session
	for w := range s.workers {
		state := w.turn.load()
		// Loaded before the turn is passed: the worker may then go on to another
		// session.
		sess := w.session.Load()
		switch {
		case sess == nil || w.seen != state:
			w.silent = time.Time{}
		case phase(state) == turnIdle:
			if w.silent.IsZero() {
				w.silent = time.Now()
			}
			if time.Since(w.silent) >= hotWait || sess.container.calls.crowded() {
				w.recall()
			}
		case w.turn.pass(state):
			s.busy.Add(-1)
			stuck = append(stuck, sess)
		}
		w.seen = state
	}
	s.mu.Unlock()
	for _, sess := range stuck {
		sess.passOn()
	}
	if s.busy.Load() == 0 {
		s.watched.Store(false)
		if s.busy.Load() == 0 || !s.watched.CompareAndSwap(false, true) {
			return
		}
	}
	s.watchLater(next)
}

// recall ends the worker's wait in the kernel's receive. The signal, which the Go
// runtime also sends to its threads, makes the kernel restart the receive, and the
// kernel then refuses the struct because it is not zero. Wherever else the worker is,
// neither the signal nor the flag has an effect.
func (w *worker) recall() {
	w.n.Flags.Store(recalled)
	_ = unix.Tgkill(os.Getpid(), w.tid, unix.SIGURG)
}

// recall recalls the workers of a session, or all of them if sess is nil.
func (s *Supervisor) recall(sess *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.workers {
		if sess == nil || w.session.Load() == sess {
			w.recall()
		}
	}
}
