package agent

import (
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// hotLimit is how many workers may stay with a session for hotWait at once.
const hotLimit = 16

// A worker is one OS thread that takes notifications.
type worker struct {
	engine *Engine
	tid    int
	n      notification
	space  workspace

	// turn is the number of the call in hand and, in its two lowest bits, how
	// it stands. session is the one that is served.
	turn    atomic.Uint64
	session atomic.Pointer[session]

	// The watch's own: the turn when it last looked, and since when the
	// session has been silent.
	seen   uint64
	silent time.Time
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
		w := &worker{engine: e, tid: unix.Gettid(), space: workspace{neutral: neutral}}
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
	idleLimit := int32(processors + 2)
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
	w.session.Store(nil)
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
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, errRecalled) {
			return false, err
		}
		if err != nil || w.engine.closed.Load() || w.engine.busy.Load() > hotLimit || s.calls.crowded() {
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
