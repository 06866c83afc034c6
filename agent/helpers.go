package agent

import (
	"fmt"
	"sync"
	"time"

	"github.com/port-restricter/port-restricter/agent/target"
)

const (
	// helperLimit is how many helpers may work for one container at the same time. All containers
	// have their helpers from one process, and the next one must not wait behind many requests.
	helperLimit = 2

	// placeLimit is how long a call waits for its turn. A helper ends itself before, unless the
	// kernel does not let it.
	placeLimit = target.CallLimit
)

// helperPlaces are the places for the helpers of one container. The zero value is all free.
type helperPlaces struct {
	once  sync.Once
	taken chan struct{}
}

// take reports whether it took a place within the limit. The place is to be left by leave.
func (p *helperPlaces) take(limit time.Duration) bool {
	p.once.Do(func() { p.taken = make(chan struct{}, helperLimit) })
	select {
	case p.taken <- struct{}{}:
		return true
	default:
	}
	select {
	case p.taken <- struct{}{}:
		return true
	case <-time.After(limit):
		return false
	}
}

func (p *helperPlaces) leave() { <-p.taken }

// letHelper lets a helper make the call, once the container has a place for it.
func (a *attempt) letHelper(call target.Call) error {
	places := &a.session.container.helpers
	if !places.take(placeLimit) {
		return fmt.Errorf("%w: %d other calls of its container hang",
			target.ErrNotMade, helperLimit)
	}
	defer places.leave()
	return a.target.MakeCall(call, a.valid)
}
