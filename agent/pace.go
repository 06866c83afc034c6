package agent

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/port-restricter/port-restricter/agent/target"
)

const (
	// paceLimit is how much time of a CPU a container may take of each second beside others, for
	// what takes the agent long: a helper, and a scan of all tasks.
	paceLimit = 100 * time.Millisecond

	// paceBurst is what it may take at once, before it has to wait.
	paceBurst = 100 * time.Millisecond

	// paceLook is how long a call that was withdrawn may go on waiting. A signal makes its thread
	// ask again, and each call that waits has one of its container's places.
	paceLook = 20 * time.Millisecond
)

// A pace knows how much of the agent's time one container has had. The zero value is none.
type pace struct {
	once sync.Once
	left *rate.Limiter // in microseconds
}

func (p *pace) spend(took time.Duration) *rate.Reservation {
	p.once.Do(func() {
		limit, burst := paceLimit.Microseconds(), paceBurst.Microseconds()
		p.left = rate.NewLimiter(rate.Limit(limit), int(burst))
	})
	return p.left.ReserveN(time.Now(), int(min(took, paceBurst).Microseconds()))
}

// keepPace waits until the container may have more of the agent's time. It does not wait for one
// that is alone. It reports false if the call was withdrawn meanwhile.
func (a *attempt) keepPace() bool {
	c := a.session.container
	if !c.hasNeighbours() {
		return true
	}
	until := time.Now().Add(c.pace.spend(time.Microsecond).Delay())
	for left := time.Until(until); left > 0 && c.hasNeighbours(); left = time.Until(until) {
		if !a.valid() {
			return false
		}
		time.Sleep(min(left, paceLook))
	}
	return true
}

// charge records that the container had so much of the agent's time.
func (a *attempt) charge(took time.Duration) {
	if c := a.session.container; c.hasNeighbours() {
		c.pace.spend(took)
	}
}

// scanAtPace does a scan, once the container may have more of the agent's time.
func (a *attempt) scanAtPace(scan func() (took time.Duration)) {
	if a.keepPace() {
		a.charge(scan())
	}
}

// mayHaveHelper returns nil once the container may have a helper.
func (a *attempt) mayHaveHelper() error {
	if !a.keepPace() {
		return target.ErrWithdrawn
	}
	a.charge(helperPrice)
	return nil
}
