package agent

import (
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// hotWait (milliseconds) is how long a worker stays with a session that was just active,
	// There it is woken directly, on the CPU of the caller; the
	// epoll set costs a third of a bind's time more.
	hotWait = 20
	// hotLimit is how many workers may do so at once.
	hotLimit = 16

	// watchEvery is how long a worker may be busy with one call before
	// another takes over what else the container asks.
	watchEvery = 2 * time.Millisecond
)

// A worker is one OS thread that takes notifications.
type worker struct {
	engine *Engine
	n      notification
	space  workspace

	// turn is the number of the call in hand and, in its two lowest bits, how
	// it stands. session is what the call came from.
	turn    atomic.Uint64
	session atomic.Pointer[session]
	seen    uint64 // the turn, when the watch last looked
}

// How a call in hand stands; neither, once it is over.
const (
	turnTaken  = 1 // the worker is the session's receiver
	turnPassed = 2 // the watch has passed the receiver's part on
	turnMask   = turnTaken | turnPassed
)

// startWorker reports to started, if there is one, whether the thread could be
// made ready. A worker counts as waiting from the beginning.
func (e *Engine) startWorker(started chan<- error) {
	if e.workerCount.Add(1) > workerLimit {
		e.workerCount.Add(-1)
		return
	}
	e.waiting.Add(1)
	e.running.Add(1)
	go func() {
		defer e.running.Done()
		defer e.workerCount.Add(-1)
		neutral, err := becomeNeutral()
		if started != nil {
			started <- err
		}
		if err != nil {
			e.waiting.Add(-1)
			e.log.WithError(err).Error("a worker thread can't be used")
			return
		}
		w := &worker{engine: e, space: workspace{neutral: neutral}}
		e.mu.Lock()
		e.workers[w] = struct{}{}
		e.mu.Unlock()
		w.run()
		e.mu.Lock()
		delete(e.workers, w)
		e.mu.Unlock()
	}()
}

// run serves one session after the other, until the engine closes or enough
// other workers wait.
func (w *worker) run() {
	e := w.engine
	idleLimit := int32(runtime.GOMAXPROCS(0) + 2)
	var event [1]unix.EpollEvent
	for {
		n, err := unix.EpollWait(e.epoll, event[:], -1)
		if n < 1 {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			e.waiting.Add(-1)
			e.log.WithError(err).Error("a worker can't wait for notifications")
			return
		}
		waiting := e.waiting.Add(-1)
		if event[0].Fd == int32(e.stop) {
			return
		}
		if waiting == 0 {
			e.startWorker(nil)
		}
		if event[0].Fd == int32(e.timer) {
			e.watch()
		} else if s := e.sessionOf(event[0].Fd); s != nil {
			if event[0].Events&unix.EPOLLIN != 0 {
				w.serve(s)
			} else {
				e.detach(s, nil)
			}
		}
		if e.waiting.Add(1) > idleLimit {
			e.waiting.Add(-1)
			return
		}
	}
}

// serve is the session's receiver until the session is silent for hotWait, or
// a call blocks and the watch passes the part on.
func (w *worker) serve(s *session) {
	if !s.enter() {
		return
	}
	e := w.engine
	w.session.Store(s)
	e.watchBusy()
	passed, err := w.receiveAll(s)
	w.space.threads.forget()
	if !passed {
		e.busy.Add(-1)
	}
	s.leave()
	if err != nil {
		e.detach(s, err)
	}
}

// receiveAll says whether the watch has passed the receiver's part on.
func (w *worker) receiveAll(s *session) (passed bool, err error) {
	for {
		err := s.kernel.receive(&w.n)
		if err == nil && !w.handle(s) {
			return true, nil
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return false, err
		}
		if w.engine.closed.Load() || w.engine.busy.Load() > hotLimit || s.calls.crowded() || !s.activeWithin(hotWait) {
			s.passOn()
			return false, nil
		}
	}
}

// handle says whether the worker is still the session's receiver afterwards.
func (w *worker) handle(s *session) bool {
	turn := (w.turn.Load() | turnMask) + 1 | turnTaken
	w.turn.Store(turn)
	s.handle(&w.n, &w.space)
	return w.turn.CompareAndSwap(turn, turn&^turnMask)
}

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
// not wait for that. It comes back only while some worker is busy.
func (e *Engine) watch() {
	e.mu.Lock()
	var stuck []*session
	for w := range e.workers {
		turn := w.turn.Load()
		if w.seen == turn && turn&turnMask == turnTaken {
			// The session first: once the turn is passed the worker may
			// go on to another one.
			s := w.session.Load()
			if w.turn.CompareAndSwap(turn, turn&^turnMask|turnPassed) {
				e.busy.Add(-1)
				stuck = append(stuck, s)
			}
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
