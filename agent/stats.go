package agent

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// Stats are numbers for a monitoring system. Counters grow from the start of this process.
type Stats struct {
	Decisions      []DecisionCount
	Durations      []uint64          // how many took at most the same of DurationBounds
	DurationSum    time.Duration     // of all decisions
	AttachFailures map[string]uint64 // by reason
	Helpers        map[string]uint64 // by result
	LogSkipped     uint64            // refusals that have no line of their own in the log

	Containers, Sessions int
	Unprotected          int // sessions that would not survive a restart
}

// A DecisionCount counts decisions of one kind.
type DecisionCount struct {
	Namespace           string
	Operation, Protocol string
	Decision            string
	Count               uint64
}

// DurationBounds are the upper bounds of Stats.Durations, which has one more: the rest.
var DurationBounds = []time.Duration{
	5 * time.Microsecond, 10 * time.Microsecond, 20 * time.Microsecond, 50 * time.Microsecond,
	100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond,
	time.Second, 10 * time.Second,
}

// Reasons why a container is not attached, or is attached and may bind nothing.
const (
	failedSender  = "sender"  // neither root nor the agent's user sent it
	failedMessage = "message" // what was sent is no container process state with a notify fd
	failedPolicy  = "policy"  // annotations and metadata make no policy: everything is refused
	failedSession = "session" // no room, no notify fd, or the agent stops
)

var attachFailures = []string{failedSender, failedMessage, failedPolicy, failedSession}

// stats are what a supervisor counts.
type stats struct {
	durations   [16]atomic.Uint64 // as many as DurationBounds, and one
	durationSum atomic.Int64
	failures    [4]atomic.Uint64 // in the order of attachFailures
	skipped     atomic.Uint64    // of containers that have ended

	mu      sync.Mutex
	tallies map[string]*tally // by namespace
}

func (s *stats) took(d time.Duration) {
	i := 0
	for i < len(DurationBounds) && d > DurationBounds[i] {
		i++
	}
	s.durations[i].Add(1)
	s.durationSum.Add(int64(d))
}

func (s *stats) attachFailed(reason string) {
	s.failures[slices.Index(attachFailures, reason)].Add(1)
}

// namespaceLimit bounds the namespaces that are counted apart, and otherNamespaces is the rest.
const namespaceLimit, otherNamespaces = 512, "(others)"

// tallyOf returns the counters of a namespace.
func (s *stats) tallyOf(namespace string) *tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tallies == nil {
		s.tallies = map[string]*tally{}
	}
	if s.tallies[namespace] == nil && len(s.tallies) >= namespaceLimit {
		namespace = otherNamespaces
	}
	if s.tallies[namespace] == nil {
		s.tallies[namespace] = new(tally)
	}
	return s.tallies[namespace]
}

// A tally counts the decisions in one namespace, by operation, protocol and decision.
type tally [4][5][4]atomic.Uint64

var (
	tallyOperations = []config.Operation{config.Bind, config.Listen, "setsockopt", "call"}
	tallyProtocols  = []config.Protocol{config.TCP, config.UDP, config.SCTP, config.Other, ""}
	tallyDecisions  = []string{"allow", "deny", "audit", "rewrite"}
)

func (t *tally) add(r *record) {
	i, j, k := slices.Index(tallyOperations, r.operation),
		slices.Index(tallyProtocols, r.protocol), slices.Index(tallyDecisions, r.decision)
	if i >= 0 && j >= 0 && k >= 0 {
		t[i][j][k].Add(1)
	}
}

func (t *tally) counts(namespace string) (all []DecisionCount) {
	for i, operation := range tallyOperations {
		for j, protocol := range tallyProtocols {
			for k, decision := range tallyDecisions {
				if n := t[i][j][k].Load(); n > 0 {
					all = append(all, DecisionCount{
						namespace, string(operation), string(protocol), decision, n,
					})
				}
			}
		}
	}
	return all
}

// Stats returns the numbers of the moment.
func (s *Supervisor) Stats() Stats {
	all := Stats{
		DurationSum:    time.Duration(s.stats.durationSum.Load()),
		AttachFailures: map[string]uint64{}, Helpers: target.HelperResults(),
	}
	for i := range len(DurationBounds) + 1 {
		all.Durations = append(all.Durations, s.stats.durations[i].Load())
	}
	for i, reason := range attachFailures {
		all.AttachFailures[reason] = s.stats.failures[i].Load()
	}
	s.stats.mu.Lock()
	for namespace, tally := range s.stats.tallies {
		all.Decisions = append(all.Decisions, tally.counts(namespace)...)
	}
	s.stats.mu.Unlock()

	s.mu.Lock()
	defer s.mu.Unlock()
	all.LogSkipped = s.stats.skipped.Load()
	all.Sessions = len(s.sessions)
	for _, c := range s.containers {
		if c.sessions > 0 {
			all.Containers++
		}
		all.LogSkipped += c.refusals.skippedLines()
	}
	for _, sess := range s.sessions {
		if s.unprotected(sess) {
			all.Unprotected++
		}
	}
	return all
}
