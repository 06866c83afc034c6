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
	Homes     []int     `json:"-"`     // for each of PIDs, target.Home of the container

	Annotations map[string]string `json:"annotations,omitempty"` // on which its policy depends
	Metadata    string            `json:"metadata,omitempty"`
	Policy      string            `json:"policy"`
	Problem     string            `json:"problem,omitempty"` // why everything is refused

	// Counts of decisions, also by agents before this one.
	Allowed uint64 `json:"allowed"`
	Denied  uint64 `json:"denied"`
	Audited uint64 `json:"audited"` // allowed only because the mode is audit

	// Refusals are those that this agent has seen, the last one first. In a list of containers,
	// it has the last one only.
	Refusals []Refusals `json:"refusals"`

	// Unprotected means that it would lose its ports with the agent: nobody keeps its notify fd.
	Unprotected bool `json:"unprotected"`
}

// Containers returns the containers that are served, the oldest first.
func (s *Supervisor) Containers() []Container { return s.list("", 1) }

// ContainersOf returns the containers with an id, with all that is known of them. There is more
// than one if two OCI runtimes, or two root directories of one, have given the same id.
func (s *Supervisor) ContainersOf(id string) []Container { return s.list(id, kindLimit) }

// list returns the containers with an id, or all, with at most so many refusals of each.
func (s *Supervisor) list(id string, refusals int) []Container {
	views := s.views(id)
	all := make([]Container, 0, len(views))
	for _, v := range views {
		all = append(all, v.describe(refusals))
	}
	slices.SortFunc(all, func(a, b Container) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID),
			cmp.Compare(a.Bundle, b.Bundle))
	})
	return all
}

// A view is a container with its sessions.
type view struct {
	sessions    []*session
	policies    []config.Policy // of the sessions
	refusals    []*refusalLog
	unprotected bool
}

// views returns the containers with an id, or all. An exec of crun, which does not tell the
// container's bundle, is joined to the container if there is one with the same id.
func (s *Supervisor) views(id string) map[containerKey]*view {
	views, bundles := map[containerKey]*view{}, map[string][]string{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		if sess.key.bundle != "" && !slices.Contains(bundles[sess.key.id], sess.key.bundle) {
			bundles[sess.key.id] = append(bundles[sess.key.id], sess.key.bundle)
		}
	}
	for _, sess := range s.sessions {
		key := sess.key
		if id != "" && key.id != id {
			continue
		}
		if key.bundle == "" && len(bundles[key.id]) == 1 {
			key.bundle = bundles[key.id][0]
		}
		v := views[key]
		if v == nil {
			v = new(view)
			views[key] = v
		}
		v.sessions, v.policies = append(v.sessions, sess), append(v.policies, *sess.policy.Load())
		if !slices.Contains(v.refusals, sess.container.refusals) {
			v.refusals = append(v.refusals, sess.container.refusals)
		}
		v.unprotected = v.unprotected || s.unprotected(sess)
	}
	return views
}

// first returns the index of the session of the container's first process, or of its oldest one.
func (v *view) first() (first int) {
	for i, sess := range v.sessions {
		this, best := &sess.record, &v.sessions[first].record
		if this.Exec == best.Exec && this.Since < best.Since || best.Exec && !this.Exec {
			first = i
		}
	}
	return first
}

// describe returns what is known of a container, with at most so many refusals.
func (v *view) describe(refusals int) Container {
	i := v.first()
	first, policy := v.sessions[i], &v.policies[i]
	who := first.audit.who
	described := Container{
		ID: first.key.id, Bundle: first.key.bundle,
		Namespace: who.Namespace, Pod: who.Pod, Name: who.Name,
		Annotations: maps.Clone(first.record.Annotations), Metadata: first.record.Metadata,
		Policy: policy.String(), Problem: policy.Problem(), Unprotected: v.unprotected,
	}
	for _, log := range v.refusals {
		described.Refusals = append(described.Refusals, log.list()...)
	}
	slices.SortFunc(described.Refusals, func(a, b Refusals) int { return b.Last.Compare(a.Last) })
	if len(described.Refusals) > refusals {
		described.Refusals = slices.Clone(described.Refusals[:refusals])
	}
	slices.SortFunc(v.sessions, func(a, b *session) int {
		return cmp.Or(cmp.Compare(a.record.Since, b.record.Since), cmp.Compare(a.id, b.id))
	})
	described.Since = time.Unix(0, v.sessions[0].record.Since)
	for _, sess := range v.sessions {
		if sess.record.Pid != 0 {
			described.PIDs = append(described.PIDs, sess.record.Pid)
			described.Homes = append(described.Homes, sess.record.Home)
		}
		described.Allowed += sess.audit.counters.Allowed.Load()
		described.Denied += sess.audit.counters.Denied.Load()
		described.Audited += sess.audit.counters.Audited.Load()
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
		if sess.key.id == id && (!ok || !sess.record.Exec) {
			policy, ok = *sess.policy.Load(), true
		}
	}
	return policy, ok
}
