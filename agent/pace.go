package agent

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// paceLimit is how much time of a CPU a container may take of each second beside others, for
	// what takes the agent long: a helper, and a scan of all tasks.
	paceLimit = 100 * time.Millisecond

	// paceBurst is what it may take at once, before it has to wait.
	paceBurst = 100 * time.Millisecond
)

// A pace knows how much of the agent's time one container has had. The zero value is none.
type pace struct {
	once sync.Once
	left *rate.Limiter // in microseconds
}

// keepPace waits until the container may have more of the agent's time. It does not wait for one
// that is alone.
func (c *container) keepPace() {
	if c.hasNeighbours() {
		time.Sleep(c.pace.spend(1).Delay())
	}
}

// charge records that the container had so much of the agent's time.
func (c *container) charge(took time.Duration) {
	if c.hasNeighbours() {
		c.pace.spend(int(min(took, paceBurst).Microseconds()))
	}
}

func (p *pace) spend(microseconds int) *rate.Reservation {
	p.once.Do(func() {
		limit, burst := paceLimit.Microseconds(), paceBurst.Microseconds()
		p.left = rate.NewLimiter(rate.Limit(limit), int(burst))
	})
	return p.left.ReserveN(time.Now(), microseconds)
}

// atPace does something that takes long, once the container may have more of the agent's time.
func (c *container) atPace(do func()) {
	c.keepPace()
	began := time.Now()
	do()
	c.charge(time.Since(began))
}
