package agent

import (
	"slices"
	"sync"
)

// inFlightLimit bounds how many calls of one container are worked on at once.
// Each may block for as long as the container wishes; over the bound the
// container waits, and nobody else does.
const inFlightLimit = 8

// inFlight counts the workers that have to do with one container, whichever of
// its sessions they serve: each exec makes another session, and what was exec'd
// may stay.
type inFlight struct {
	sessions int // of the container; Engine.mu guards it

	mu      sync.Mutex
	workers int
	parked  []*session // armed for their end only until a worker leaves
}

// enter counts a worker in, or parks the session that it came for.
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

// idle says that no worker has to do with the container.
func (c *inFlight) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers == 0
}

// crowded says that a session is parked: who could leave should.
func (c *inFlight) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.parked) > 0
}

// leave counts a worker out, and lets the next one in that has something to
// ask; the last worker all, since what one asks can be withdrawn before another
// worker comes for it, who would let the next one in.
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
