package agent

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
)

// allows returns a function by which every container may bind ports.
func allows(t *testing.T, ports string) PolicyFunc {
	t.Helper()
	policy, err := config.ParsePolicy(config.Texts{Ports: ports})
	require.NoError(t, err)
	return func(*specs.ContainerProcessState) (config.Policy, error) { return policy, nil }
}

// stateIn returns the state of a container in which the first process is being created, or
// another one joins.
func stateIn(id string, status specs.ContainerState) *specs.ContainerProcessState {
	return &specs.ContainerProcessState{Metadata: "port-restricter.port=5000", State: specs.State{
		ID: id, Bundle: "/bundle", Status: status,
		Annotations: map[string]string{"port-restricter.port": "5000", "other": "long"},
	}}
}

// Every session gets the new policy, also that of an exec, from what it was made of.
func TestSetPolicyReachesEverySession(t *testing.T) {
	s, err := NewSupervisor(quietLog(), allows(t, "5000"))
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Attach(stateIn("a", specs.StateCreating), notifyFDOf(t)))
	require.NoError(t, s.Attach(stateIn("a", specs.StateRunning), notifyFDOf(t)))
	require.NoError(t, s.Attach(stateIn("b", specs.StateCreating), notifyFDOf(t)))
	policies := func() (all []string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, sess := range s.sessions {
			all = append(all, sess.policy.Load().String())
		}
		return all
	}

	ports := allows(t, "6000")
	changed := s.SetPolicy(func(state *specs.ContainerProcessState) (config.Policy, error) {
		require.Equal(t, "/bundle", state.State.Bundle)
		require.Equal(t, "port-restricter.port=5000", state.Metadata)
		require.Equal(t, map[string]string{"port-restricter.port": "5000"}, state.State.Annotations)
		if state.State.ID == "b" {
			return config.Policy{}, errors.New("not with these rules")
		}
		return ports(state)
	})
	require.Equal(t, 2, changed)
	require.ElementsMatch(t, []string{"6000", "6000", "deny all"}, policies())
	require.Equal(t, 1, s.SetPolicy(allows(t, "6000")), "b has a policy again")
	s.SetPolicy(func(*specs.ContainerProcessState) (config.Policy, error) {
		panic("a fault in a policy, which ends no agent")
	})
	require.Equal(t, []string{"deny all", "deny all", "deny all"}, policies())
}

// A session that is attached meanwhile gets the new policy too.
func TestSetPolicyMissesNoSessionThatIsAttachedMeanwhile(t *testing.T) {
	decided, set := make(chan struct{}), make(chan struct{})
	first := allows(t, "5000")
	var once sync.Once
	s, err := NewSupervisor(quietLog(),
		func(state *specs.ContainerProcessState) (config.Policy, error) {
			once.Do(func() { close(decided); <-set })
			return first(state)
		})
	require.NoError(t, err)
	defer s.Close()
	fd, attached := notifyFDOf(t), make(chan error)
	go func() { attached <- s.Attach(stateIn("a", specs.StateCreating), fd) }()
	<-decided
	s.SetPolicy(allows(t, "6000"))
	close(set)
	require.NoError(t, <-attached)
	require.Equal(t, "6000", s.sessionOf(int32(fd)).policy.Load().String())
}

// A wrong annotation can have megabytes, and the author of a pod can have it in each container.
func TestAWrongAnnotationFillsNeitherLogNorMemory(t *testing.T) {
	var buffer bytes.Buffer
	log := quietLog()
	log.SetOutput(&buffer)
	long := strings.Repeat("\u202e", 1<<16)
	wrong := func(*specs.ContainerProcessState) (config.Policy, error) {
		return config.Policy{}, errors.New(long)
	}
	s, err := NewSupervisor(log, wrong)
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Attach(stateIn("a", specs.StateCreating), notifyFDOf(t)))
	s.SetPolicy(wrong)
	require.Equal(t, 2, strings.Count(buffer.String(), "every bind will be refused"))
	require.Less(t, buffer.Len(), 64<<10)
	require.Less(t, len(s.Containers()[0].Problem), 16<<10)
}
