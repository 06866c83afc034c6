package agent

import (
	"errors"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/target"
)

// hotLimit is how many workers may stay with a session for hotWait at the same
// time.
const hotLimit = 16

// A worker is an OS thread that serves notifications.
type worker struct {
	supervisor *Supervisor
	tid        int
	slot       *handover.Slot
	n          *notification // in the slot
	space      workspace

	turn    turn
	session atomic.Pointer[session] // the one that is served

	// For the watch alone: the state of turn when it last looked, and since when
	// the session has been silent.
	seen   uint64
	silent time.Time
}

// startWorker starts a worker, unless there are workerLimit. If started is not
// nil it gets the error, or nil, of preparing the thread. The worker counts as
// waiting from the beginning.
func (s *Supervisor) startWorker(started chan<- error) {
	if s.workerCount.Add(1) > workerLimit {
		s.workerCount.Add(-1)
		return
	}
	s.waiting.Add(1)
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		defer s.workerCount.Add(-1)
		neutral, err := target.BecomeNeutral()
		if started != nil {
			started <- err
		}
		if err != nil {
			s.waiting.Add(-1)
			s.log.WithError(err).Error("a worker thread can't be used")
			return
		}
		slot, ok := s.memory.TakeSlot()
		if !ok {
			slot = new(handover.Slot) // no successor will know what it has in hand
		} else {
			defer s.memory.ReleaseSlot(slot)
		}
		w := newWorker(s, slot, neutral)
		s.mu.Lock()
		s.workers[w] = struct{}{}
		s.mu.Unlock()
		w.run()
		s.mu.Lock()
		delete(s.workers, w)
		s.mu.Unlock()
	}()
}

// newWorker returns a worker for the calling thread.
func newWorker(s *Supervisor, slot *handover.Slot, neutral bool) *worker {
	return &worker{
		supervisor: s, tid: unix.Gettid(),
		slot: slot, n: notificationIn(slot),
		space: workspace{neutral: neutral, slot: slot},
	}
}

// notificationIn returns the notification in a slot.
func notificationIn(slot *handover.Slot) *notification {
	return (*notification)(unsafe.Pointer(&slot.Notification))
}

// run serves one session after another, until the supervisor closes or enough
// other workers wait.
func (w *worker) run() {
	s := w.supervisor
	idleLimit := int32(processors + 2)
	var event [1]unix.EpollEvent
	for {
		n, err := unix.EpollWait(s.epoll, event[:], -1)
		if n < 1 {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			s.waiting.Add(-1)
			s.log.WithError(err).Error("a worker can't wait for notifications")
			return
		}
		waiting := s.waiting.Add(-1)
		if event[0].Fd == int32(s.stop) {
			return
		}
		if waiting == 0 {
			s.startWorker(nil)
		}
		if event[0].Fd == int32(s.timer) {
			s.watch()
		} else if sess := s.sessionOf(event[0].Fd); sess != nil {
			switch events := event[0].Events; {
			case events&unix.EPOLLIN != 0:
				w.serve(sess)
			case events&unix.EPOLLHUP != 0:
				s.detach(sess, nil)
			default: // EPOLLERR: a signal came while the kernel waited for the notify fd's lock
				sess.watchOn(uint32(event[0].Pad))
			}
		}
		if s.waiting.Add(1) > idleLimit {
			s.waiting.Add(-1)
			return
		}
	}
}

// serve makes the worker the receiver of a session, until the session has been
// silent for hotWait, or a call blocks and the watch passes the receiver's part
// on.
func (w *worker) serve(sess *session) {
	if !sess.enter() {
		return
	}
	s := w.supervisor
	w.session.Store(sess)
	w.slot.Serve(sess.id)
	s.watchBusy()
	passed, err := w.receiveAll(sess)
	w.session.Store(nil)
	w.space.threads.Forget()
	if !passed {
		s.busy.Add(-1)
	}
	sess.leave()
	if err != nil {
		s.detach(sess, err)
	}
}

// receiveAll serves one notification after another. It reports whether the watch
// has passed the receiver's part on.
func (w *worker) receiveAll(sess *session) (passed bool, err error) {
	for {
		err := sess.notifier.receive(w.n)
		if err == nil && !w.handle(sess) {
			return true, nil
		}
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, errRecalled) {
			return false, err
		}
		if err != nil || w.supervisor.closed.Load() || w.supervisor.busy.Load() > hotLimit ||
			sess.container.calls.crowded() {
			sess.passOn()
			return false, nil
		}
	}
}

// handle serves the received notification. It reports whether the worker is still
// the session's receiver afterwards.
func (w *worker) handle(sess *session) bool {
	call := w.turn.begin()
	sess.handle(w.n, &w.space)
	return w.turn.end(call)
}
