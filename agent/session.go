package agent

import (
	"errors"
	"sync"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// A session serves one notify fd: the processes that run under one load of the
// filter. A container has one, and another for each exec.
type session struct {
	notifyFD  int
	kernel    notifier
	container string
	policy    config.Policy
	audit     *audit
	orphans   orphans
	open      func(known *threads, tid uint32) (target, error)
	arm       func(events uint32) // in the epoll set, for one worker; besides for its end
	calls     *inFlight

	mu      sync.Mutex
	workers int // that have to do with it
	gone    bool
	closed  bool
}

func newSession(fd int, container string, policy config.Policy, log *logrus.Logger) (*session, error) {
	kernel, err := newNotifyFD(fd)
	if err != nil {
		return nil, err
	}
	return &session{
		notifyFD: fd, kernel: kernel, container: container, policy: policy,
		audit: newAudit(log.WithField("container", container)),
		open:  (*threads).open,
	}, nil
}

// errWithdrawn says that nobody waits for the answer any more.
var errWithdrawn = errors.New("the notification was withdrawn")

// errNative is the answer that lets the kernel run the call itself.
var errNative = errors.New("run by the kernel, in the target's context")

// A workspace is what a worker keeps from one notification to the next.
type workspace struct {
	neutral bool // the thread owns nobody's user namespace
	threads threads
	attempt attempt
	answer  response
}

// handle takes one notification all the way: look at the target, decide, act,
// answer.
func (s *session) handle(n *notification, w *workspace) {
	flight, earlier := s.orphans.begin(n.PID)
	defer s.orphans.end(flight)
	if earlier != nil {
		<-earlier // it still holds the socket, and decides what this one finds
	}

	a := &w.attempt
	*a = attempt{session: s, id: n.ID, neutral: w.neutral, threads: &w.threads, socket: -1}
	w.answer = response{ID: n.ID}
	if err := a.run(n); err != nil {
		w.answer.fail(err)
	}
	// Before the answer: once it has it the target may close its socket and
	// bind the port again, which our duplicate would still hold.
	a.release()

	if err := s.kernel.respond(&w.answer); errors.Is(err, unix.ENOENT) && a.bound {
		s.orphans.remember(a.cookie, a.asked)
	}
	if a.record.decision != "" {
		s.audit.write(n.PID, &a.record)
	}
}

// fail turns an error into what the kernel is told. Whatever is not an errno is
// a reason of ours not to act, and there the answer is EPERM.
func (r *response) fail(err error) {
	errno, answered := kernelsAnswer(err)
	switch {
	case errors.Is(err, errNative):
		r.Flags = respondContinue
	case answered:
		r.Error = -int32(errno)
	default:
		r.Error = -int32(unix.EPERM)
	}
}

// asks says whether a notification waits. A hang-up is none.
func (s *session) asks() bool {
	fds := []unix.PollFd{{Fd: int32(s.notifyFD), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLIN != 0
}

// enter counts a worker in, unless the container has enough of them. Then only
// the session's end is looked for.
func (s *session) enter() bool {
	s.mu.Lock() // who lets a parked one in again waits, and arms it last
	defer s.mu.Unlock()
	if s.calls.enter(s) {
		s.workers++
		return true
	}
	if !s.gone {
		s.arm(0)
	}
	return false
}

// passOn gives up the receiver's part to whichever worker is woken next. It
// says whether one will be at once.
func (s *session) passOn() bool {
	s.mu.Lock() // nobody may close the fd meanwhile
	defer s.mu.Unlock()
	if s.gone {
		return false
	}
	s.arm(unix.EPOLLIN)
	return s.asks()
}

// leave counts a worker out: of the container first, so that a session that has
// ended has nothing to do with it any more.
func (s *session) leave() {
	s.calls.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers--
	s.closeIfDone()
}

// hangUp ends the session: its last process is gone, or the engine closes.
func (s *session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	s.closeIfDone()
}

// ended says that the session is over and no worker has to do with it any more.
func (s *session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// closeIfDone closes the fd once no call in flight can answer through it.
func (s *session) closeIfDone() {
	if s.gone && s.workers == 0 && !s.closed {
		unix.Close(s.notifyFD)
		s.closed = true
	}
}
