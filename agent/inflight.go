package agent

import (
	"slices"
	"sync"
)

// inFlightLimit bounds how many calls of one container are served at the same time.
// Each may block for as long as the container likes. A container that reaches the
// limit waits, and no other container does.
const inFlightLimit = 8

// inFlight counts the workers that serve one container, in whichever of its
// sessions: each exec makes another session, and the program may stay.
type inFlight struct {
	mu      sync.Mutex
	workers int
	parked  []*session // watched for their end only, until a worker leaves
}

// enter counts a worker in and reports true, or parks the session that the worker
// came for.
func (c *inFlight) enter(s *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.workers >= inFlightLimit {
		c.parked = append(c.parked, s)
		return false
	}
	c.workers++
	return true
}

// force counts a worker in that goes on with a call of an earlier agent.
func (c *inFlight) force() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workers++
}

// idle reports whether no worker serves the container.
func (c *inFlight) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers == 0
}

// crowded reports whether a session is parked. A worker that can leave should.
func (c *inFlight) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.parked) > 0
}

// leave counts a worker out and wakes parked sessions, up to the first that has a
// notification waiting. The last worker wakes every parked session: a notification
// can be withdrawn before a worker comes for it, and nobody would be left to wake
// the rest.
func (c *inFlight) leave() {
	c.mu.Lock()
	c.workers--
	last := c.workers == 0
	c.mu.Unlock()
	for {
		c.mu.Lock()
		if len(c.parked) == 0 {
			c.mu.Unlock()
			return
		}
		next := c.parked[0]
		c.parked = slices.Delete(c.parked, 0, 1)
		c.mu.Unlock()
		if next.passOn() && !last {
			return
		}
	}
}
