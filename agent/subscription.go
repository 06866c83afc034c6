package agent

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// A Subscription receives decisions as they are made. A reader that is slow holds up nobody: it
// misses events, and is told how many.
type Subscription struct {
	C <-chan Event

	events      chan Event
	all         bool   // allowed decisions, too
	container   string // the only one, or "" for every container
	missed      atomic.Uint64
	subscribers *subscribers
}

// Missed returns how many events did not fit into the channel since the last call.
func (s *Subscription) Missed() uint64 { return s.missed.Swap(0) }

// Close ends the subscription. No more events come then; C is not closed.
func (s *Subscription) Close() { s.subscribers.remove(s) }

// Subscribe returns a subscription to the refusals of all sessions, or to all decisions. capacity
// is how many events can wait to be read.
func (s *Supervisor) Subscribe(all bool, capacity int) *Subscription {
	return s.SubscribeContainer("", all, capacity)
}

// SubscribeContainer is Subscribe for the containers with one id.
func (s *Supervisor) SubscribeContainer(id string, all bool, capacity int) *Subscription {
	events := make(chan Event, capacity)
	subscription := &Subscription{
		C: events, events: events, all: all, container: inquiry.Printable(id),
		subscribers: &s.subscribers,
	}
	s.subscribers.add(subscription)
	return subscription
}

// subscribers are read at each decision, and change rarely.
type subscribers struct {
	list    atomic.Pointer[[]*Subscription]
	wantAll atomic.Bool

	mu sync.Mutex
}

func (s *subscribers) current() []*Subscription {
	if list := s.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (s *subscribers) add(one *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(append(slices.Clone(s.current()), one))
}

func (s *subscribers) remove(one *Subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(slices.DeleteFunc(slices.Clone(s.current()),
		func(other *Subscription) bool { return other == one }))
}

func (s *subscribers) set(list []*Subscription) {
	s.list.Store(&list)
	s.wantAll.Store(slices.ContainsFunc(list, func(one *Subscription) bool { return one.all }))
}

// want reports whether somebody wants to know of a refusal, or of another decision.
func (s *subscribers) want(refused bool) bool {
	return s.wantAll.Load() || refused && len(s.current()) > 0
}

func (s *subscribers) send(e Event, refused bool) {
	for _, one := range s.current() {
		if !refused && !one.all || one.container != "" && one.container != e.Container {
			continue
		}
		select {
		case one.events <- e:
		default:
			one.missed.Add(1)
		}
	}
}
