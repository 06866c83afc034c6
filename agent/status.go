package agent

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/port-restricter/port-restricter/config"
)

// A Container is what the supervisor knows of a container that it serves.
type Container struct {
	ID        string    `json:"id"`
	Bundle    string    `json:"bundle,omitempty"`
	Namespace string    `json:"namespace,omitempty"`
	Pod       string    `json:"pod,omitempty"`
	Name      string    `json:"name,omitempty"`
	Since     time.Time `json:"since"` // when it was attached
	PIDs      []int     `json:"pids"`  // that loaded the filter, and whose descendants it holds

	Annotations map[string]string `json:"annotations,omitempty"` // on which its policy depends
	Metadata    string            `json:"metadata,omitempty"`
	Policy      string            `json:"policy"`
	Problem     string            `json:"problem,omitempty"` // why everything is refused

	// Counts of decisions, also by agents before this one.
	Allowed uint64 `json:"allowed"`
	Denied  uint64 `json:"denied"`
	Audited uint64 `json:"audited"` // allowed only because the mode is audit

	Refusals []Refusals `json:"refusals"` // those that this agent has seen, the last one first

	// Unprotected means that it would lose its ports with the agent: nobody keeps its notify fd.
	Unprotected bool `json:"unprotected"`
}

// Containers returns the containers that are served, the oldest first.
func (s *Supervisor) Containers() []Container {
	s.mu.Lock()
	byContainer := map[*container][]*session{}
	for _, sess := range s.sessions {
		byContainer[sess.container] = append(byContainer[sess.container], sess)
	}
	all := make([]Container, 0, len(byContainer))
	for c, sessions := range byContainer {
		all = append(all, s.describe(c, sessions))
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b Container) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// describe returns what is known of a container. s.mu is held.
func (s *Supervisor) describe(c *container, sessions []*session) Container {
	slices.SortFunc(sessions, func(a, b *session) int {
		return cmp.Or(cmp.Compare(a.record.Since, b.record.Since), cmp.Compare(a.id, b.id))
	})
	first := sessions[0]
	if i := slices.IndexFunc(sessions, func(sess *session) bool { return !sess.exec }); i >= 0 {
		first = sessions[i]
	}
	who := first.audit.who
	described := Container{
		ID: first.key.id, Bundle: first.key.bundle,
		Namespace: who.Namespace, Pod: who.Pod, Name: who.Name,
		Since:       time.Unix(0, sessions[0].record.Since),
		Annotations: maps.Clone(first.record.Annotations), Metadata: first.record.Metadata,
		Policy: first.policy.String(), Problem: first.policy.Problem(),
		Refusals: c.refusals.list(),
	}
	for _, sess := range sessions {
		if sess.pid != 0 {
			described.PIDs = append(described.PIDs, sess.pid)
		}
		described.Allowed += sess.audit.counters.Allowed.Load()
		described.Denied += sess.audit.counters.Denied.Load()
		described.Audited += sess.audit.counters.Audited.Load()
		described.Unprotected = described.Unprotected || s.unprotected(sess)
	}
	return described
}

// LogCounts logs the refusals that are not in the log yet, for a process that ends.
func (s *Supervisor) LogCounts() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.containers))
	s.mu.Unlock()
	for _, c := range all {
		c.refusals.flush()
	}
}

// Policy returns what the container with this id may bind, if it is served.
func (s *Supervisor) Policy(id string) (policy config.Policy, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		if sess.key.id == id && (!ok || !sess.exec) {
			policy, ok = sess.policy, true
		}
	}
	return policy, ok
}
