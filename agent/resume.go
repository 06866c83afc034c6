package agent

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/target"
)

// resumeAlone is how long a notification that was in hand is served alone, and
// resumeTogether how long all of them are.
const resumeAlone, resumeTogether = 50 * time.Millisecond, time.Second

// Resume finishes what the agent before had in hand, and begins to serve the sessions.
//
// One of these notifications may be what ended the agent. So they are served one at a time, and
// one that was served alone when two agents ended is refused.
func (s *Supervisor) Resume() {
	began, left := time.Now(), s.stillWaiting()
	s.suspect(left)
	for _, l := range left {
		l.slot.Begin()
		done := make(chan struct{})
		s.running.Add(1)
		go func() {
			defer s.running.Done()
			defer close(done)
			s.finish(l.sess, l.slot)
		}()
		select {
		case <-done:
		case <-time.After(min(resumeAlone, resumeTogether-time.Since(began))):
			l.slot.InCompany() // its target blocks it
		}
	}
	s.mu.Lock()
	sessions := slices.Collect(maps.Values(s.sessions))
	s.mu.Unlock()
	for _, sess := range sessions {
		if err := s.arm(sess.notifyFD, unix.EPOLL_CTL_ADD, unix.EPOLLIN); err != nil {
			s.detach(sess, fmt.Errorf("watch the seccomp fd: %w", err))
		}
	}
	s.memory.Ready()
	if len(sessions) > 0 {
		s.log.WithFields(logrus.Fields{"sessions": len(sessions), "in_hand": len(left)}).
			Info("took over from the agent before")
	}
}

// suspect records for which notifications the agent before may have ended.
func (s *Supervisor) suspect(left []inHand) {
	orderly, served := s.memory.Begin(), 0
	for _, l := range left {
		if touched, _ := l.slot.Touched(); touched {
			served++
		}
	}
	for _, l := range left {
		if touched, alone := l.slot.Touched(); touched && !orderly {
			l.slot.Suspect(alone || served == 1)
		}
		l.slot.Leave()
	}
}

// An inHand is a notification that the agent before had in hand, and whose target still waits.
type inHand struct {
	slot *handover.Slot
	sess *session
}

// stillWaiting returns what the agent before had in hand, unless its target does not wait any
// more. If the target was called away by a signal, it calls again.
func (s *Supervisor) stillWaiting() (left []inHand) {
	for _, slot := range s.memory.Left() {
		s.mu.Lock()
		sess := s.ids[slot.Session()]
		s.mu.Unlock()
		if sess == nil {
			s.memory.ReleaseSlot(slot)
			continue
		}
		waits := sess.notifier.valid(notificationIn(slot).ID)
		if cookie, inode, asked, ok := slot.Acted(); ok {
			bind := orphan{asked: string(asked), begun: true, inode: inode}
			sess.orphans.remember(cookie, bind)
		}
		if !waits {
			s.memory.ReleaseSlot(slot)
			continue
		}
		left = append(left, inHand{slot, sess})
	}
	return left
}

// finish serves a notification that the agent before had in hand.
func (s *Supervisor) finish(sess *session, slot *handover.Slot) {
	defer s.memory.ReleaseSlot(slot)
	if !sess.hold() {
		return
	}
	sess.container.calls.force()
	defer sess.leave()
	n := notificationIn(slot)
	if slot.Poisonous() {
		s.log.WithField("container", sess.key.id).WithField("pid", n.PID).
			Error("a call was refused: several agents ended while they served it")
		_ = sess.notifier.respond(&response{ID: n.ID, Error: -int32(unix.EPERM)})
		return
	}
	neutral, err := target.BecomeNeutral()
	if err != nil {
		s.log.WithError(err).Error("a worker thread can't be used")
		_ = sess.notifier.respond(&response{ID: n.ID, Error: -int32(unix.EPERM)})
		return
	}
	w := newWorker(s, slot, neutral)
	call := w.turn.begin()
	w.turn.pass(call) // it is not the session's receiver
	w.session.Store(sess)
	s.mu.Lock()
	s.workers[w] = struct{}{}
	s.mu.Unlock()
	sess.handle(n, &w.space)
	s.mu.Lock()
	delete(s.workers, w)
	s.mu.Unlock()
}
