package agent

import (
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

const (
	// closeGrace is how long Close waits for calls in flight. A target can block
	// its own calls for ever.
	closeGrace = 5 * time.Second

	// leaveGrace is the same where a successor finishes what is left, and the containers wait for
	// it: long enough for every call that its target does not block.
	leaveGrace = 200 * time.Millisecond

	// namedAtClose bounds how many containers the log names when the supervisor closes.
	namedAtClose = 100
)

// Close takes no more notifications, finishes the calls in flight, and closes
// every notify fd. From then on the kernel answers binds with ENOSYS, unless the fds are kept
// for a successor: then binds wait for it.
func (s *Supervisor) Close() {
	s.mu.Lock() // add must not miss it
	s.closed.Store(true)
	s.mu.Unlock()
	s.trim.Stop()
	s.LogCounts()
	_, _ = unix.Write(s.stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	limit := closeGrace
	if s.keeper != nil {
		limit = leaveGrace
	}
	s.awaitCalls(limit)
	if s.keeper != nil {
		s.keeper.flush()
		s.memory.EndInOrder()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warnOfLoss()
	if s.keeper != nil {
		return // the successor finishes the calls that are left: their fds must not be closed
	}
	for _, sess := range s.sessions {
		sess.hangUp()
	}
}

// awaitCalls waits until no call is in flight, at most for limit.
func (s *Supervisor) awaitCalls(limit time.Duration) {
	finished := make(chan struct{})
	go func() { s.running.Wait(); close(finished) }()
	for end := time.After(limit); ; {
		s.recall(nil)
		select {
		case <-finished:
			return
		case <-end:
			s.log.Warn("closing with calls in flight, which their processes block")
			return
		case <-time.After(watchFirst):
		}
	}
}

// warnOfLoss logs which containers lose their supervisor. The caller holds s.mu.
func (s *Supervisor) warnOfLoss() {
	ids := map[string]bool{}
	for _, sess := range s.sessions {
		ids[sess.key.id] = true
	}
	if len(ids) == 0 {
		return
	}
	message := "closing: these containers can bind no port from now on (ENOSYS): restart them" +
		" once an agent runs again"
	if s.keeper != nil {
		message = "closing: these containers wait for the next agent; if the service was stopped," +
			" they can bind no port from now on (ENOSYS)"
	}
	all := slices.Sorted(maps.Keys(ids))
	s.log.WithFields(logrus.Fields{
		"containers": all[:min(len(all), namedAtClose)], "count": len(all),
	}).Warn(message)
}
