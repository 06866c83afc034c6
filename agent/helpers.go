package agent

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/port-restricter/port-restricter/agent/target"
)

const (
	// helperLimit is how many helpers may work for one container at the same time. All containers
	// have their helpers from one process, and the next one must not wait behind many requests.
	helperLimit = 2

	// helperPrice is about what a call by a helper takes of a CPU.
	helperPrice = time.Millisecond

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
	c := a.session.container
	places := &c.helpers
	if !places.take(placeLimit) {
		return fmt.Errorf("%w: %d other calls of its container hang",
			target.ErrNotMade, helperLimit)
	}
	defer places.leave()
	err := a.target.MakeCall(call, a.valid)
	if errors.Is(err, target.ErrNoHelpers) && c.succeeded() {
		select {} // the successor finds the call unanswered
	}
	return err
}

// EndWithoutHelpers waits for the end of the process that starts helpers, which a confined agent
// can't start again. Then it calls end, if a successor goes on with all containers. Otherwise calls
// that need a helper are refused from then on.
func (s *Supervisor) EndWithoutHelpers(end func()) {
	target.AwaitHelpersEnd()
	if s.succeeded() {
		end()
	}
}

// isSucceeded reports whether the agent is to end, since it has no helpers any more, and logs it.
func (s *Supervisor) isSucceeded() bool {
	const ended = "the process that starts helpers has ended: "
	if s.keepsAll() {
		s.log.Error(ended + "this agent ends, and the next agent starts another one")
		return true
	}
	s.log.Error(ended + "until the agent is restarted, it refuses AF_UNIX sockets of programs " +
		"with several threads, netlink groups, and ports below 1024")
	return false
}
