package agent

import (
	"cmp"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/internal/fault"
	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// A session serves one notify fd: the processes that run under one load of the
// filter. A container has one session, and another one for each exec.
type session struct {
	id        uint32 // which the agent and its successor know the session by
	kept      handover.Kept
	notifyFD  int
	notifier  notifier
	key       containerKey
	container *container
	record    handover.Record
	unknown   bool // the record could not be read: no policy can be made of it
	policy    atomic.Pointer[config.Policy]
	audit     *audit
	orphans   orphans
	open      func(cache *target.Cache, tid uint32) (targetThread, error)
	arm       func(events uint32) // makes events, or the session's end, wake one worker

	mu      sync.Mutex
	workers int  // that use the notify fd
	parked  bool // it is armed for its end only
	gone    bool // no worker may begin to use it
	closed  bool
}

// A targetThread is the thread that waits for an answer, a target.Thread. It is the
// second seam at which tests put something else.
type targetThread interface {
	Read(addr uint64, p []byte) error
	Socket(fd int) (int, error)
	KeepsSocket(fd, socket, home int, pace func(scan func() time.Duration)) bool
	IsOfAgentsUser() bool
	MakeCall(c target.Call, valid func() bool) error
	Program() target.Program
	Close()
}

func openThread(cache *target.Cache, tid uint32) (targetThread, error) {
	thread, err := cache.Open(tid)
	if err != nil {
		return nil, err // no interface that holds a nil *target.Thread
	}
	return thread, nil
}

func newSession(
	notifier notifyFD, record handover.Record, policy config.Policy, log *logrus.Logger,
) *session {
	who, _ := config.Identify(config.Container{
		ID: record.Container, Annotations: record.Annotations,
	}, record.Metadata) // an error is one of the policy, too
	// A key, which an image can bring, chooses between the names, and nobody is to be taken for
	// another.
	who.Name = cmp.Or(who.PodmanName, who.Name)
	s := &session{
		notifyFD: int(notifier), notifier: notifier, record: record,
		key:   containerKey{record.Container, record.Bundle},
		audit: newAudit(log, record.Container, who),
		open:  openThread,
	}
	s.policy.Store(&policy)
	return s
}

// errNative means that the kernel is to run the call itself.
var errNative = errors.New("run by the kernel, in the target's context")

// A workspace is what a worker keeps from one notification to the next, so that
// an allowed bind allocates nothing.
type workspace struct {
	neutral bool // the worker's thread owns no user namespace
	slot    *handover.Slot
	threads target.Cache
	attempt attempt
	answer  response
}

// handle serves one notification: inspect the target, decide, act, answer.
func (s *session) handle(n *notification, w *workspace) {
	call, earlier := s.orphans.begin(n.PID)
	defer s.orphans.end(call)
	if earlier != nil {
		<-earlier // it still has the socket, and this call must find its outcome
	}

	fault.At("received", 0)
	began := time.Now()
	if w.slot == nil {
		w.slot = new(handover.Slot) // in tests
	}
	a := &w.attempt
	*a = attempt{
		session: s, id: n.ID, tid: n.PID, neutral: w.neutral, threads: &w.threads, slot: w.slot,
		socket: -1,
	}
	w.answer = response{ID: n.ID}
	if err := a.run(n); err != nil {
		w.answer.fail(err)
	}
	if a.record.decision != "" {
		s.audit.look(&a.record, a.target)
	}
	// Before the answer: once the target has it, it may close its socket and bind
	// the port again, which the duplicate would still occupy.
	a.release()

	fault.At("answering", 0)
	if err := s.notifier.respond(&w.answer); errors.Is(err, unix.ENOENT) {
		s.orphans.calledAway(n.PID, a.bound, a.cookie, a.asked)
	} else {
		s.orphans.answered(n.PID, a.bound, a.cookie, a.asked)
	}
	fault.At("answered", 0)
	w.slot.Clear()
	if a.record.decision != "" {
		s.audit.stats.took(time.Since(began))
		s.audit.write(n.PID, &a.record)
	}
}

// fail sets the answer for an error. An error that is not a bare errno is a reason
// not to act, and the answer is EPERM.
func (r *response) fail(err error) {
	errno, answered := targetErrno(err)
	switch {
	case errors.Is(err, errNative):
		r.Flags = respondContinue
	case answered:
		r.Error = -int32(errno)
	default:
		r.Error = -int32(unix.EPERM)
	}
}

// asks reports whether a notification waits to be received.
func (s *session) asks() bool {
	fds := []unix.PollFd{{Fd: int32(s.notifyFD), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLIN != 0
}

// enter counts a worker in and reports true, unless the container has as many
// workers as it may have. The session is then parked: only its end is watched.
func (s *session) enter() bool {
	// inFlight.leave may unpark the session as soon as it is parked. But passOn, which
	// it calls, waits for this lock, so the arm in passOn comes last.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.container.calls.enter(s) {
		s.workers++
		return true
	}
	if !s.gone {
		s.parked = true
		s.arm(0)
	}
	return false
}

// passOn makes the next worker that is woken the receiver. It reports whether a
// worker will be woken immediately, since a notification waits.
func (s *session) passOn() bool {
	s.mu.Lock() // the fd must not be closed meanwhile
	defer s.mu.Unlock()
	if s.gone {
		return false
	}
	s.parked = false
	s.arm(unix.EPOLLIN)
	return s.asks()
}

// watchOn arms the session again for the events for which it was armed when a signal kept the
// kernel from looking at the notify fd. If it has left the parked ones since, passOn has armed it.
func (s *session) watchOn(events uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.gone && (events != 0 || s.parked) {
		s.arm(events)
	}
}

// leave counts a worker out. The container's count comes first: once the session
// has ended, none of its workers may be counted for the container any more.
func (s *session) leave() {
	s.container.calls.leave()
	s.release()
}

// hold keeps the notify fd open until release. It reports whether it is.
func (s *session) hold() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return false
	}
	s.workers++
	return true
}

func (s *session) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers--
	s.closeIfDone()
}

// hangUp ends the session: its last process has ended, or the supervisor closes.
func (s *session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	s.closeIfDone()
}

// isGone reports whether hangUp was called.
func (s *session) isGone() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// ended reports whether the notify fd is closed and no worker uses it.
func (s *session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// closeIfDone closes the notify fd once no call in flight needs it for its answer.
func (s *session) closeIfDone() {
	if s.gone && s.workers == 0 && !s.closed {
		unix.Close(s.notifyFD)
		s.closed = true
		s.orphans.close()
	}
}
