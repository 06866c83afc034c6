package agent

import "time"

// sweepLast is the longest time between two signals to a worker that a session
// left behind.
const sweepLast = time.Second

// sweep frees the workers of a session that has ended, and then forgets its
// container. A worker's duplicate of a socket can be the last one by then, and
// its close lingers for as long as the target asked for (SO_LINGER), until a
// signal comes. A signal does not end a wait for the lock of a socket that a
// process outside the container also has.
func (s *Supervisor) sweep(sess *session, after time.Duration) {
	if sess.ended() {
		s.forget(sess)
		return
	}
	time.AfterFunc(after, func() {
		s.recall(sess)
		s.sweep(sess, min(2*after, sweepLast))
	})
}

// forget deletes the container of an ended session if it has no other session and
// no worker. A container that comes back under the same key before that is charged
// for the calls that it left blocked.
func (s *Supervisor) forget(sess *session) {
	c := sess.container
	s.mu.Lock()
	last := s.containers[sess.key] == c && c.sessions == 0 && c.calls.idle()
	if last {
		delete(s.containers, sess.key)
		c.bound.close()
		s.stats.skipped.Add(c.refusals.skippedLines())
	}
	s.mu.Unlock()
	if last {
		c.refusals.flush()
	}
}
