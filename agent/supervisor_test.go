package agent

import (
	"net"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
)

// startServed returns a supervisor, what it logs, and a function that binds in a
// thread that the supervisor serves.
func startServed(t *testing.T) (*Supervisor, *logtest.Hook, func() error) {
	t.Helper()
	log, logged := logtest.NewNullLogger()
	policy := func(*specs.ContainerProcessState) (config.Policy, error) {
		return config.ParsePolicy(config.Texts{Ports: "0"})
	}
	supervisor, err := NewSupervisor(log, policy)
	require.NoError(t, err)
	loaded, binds, answers := make(chan int), make(chan struct{}), make(chan error)
	go func() {
		fd, _ := loadBindFilter()
		loaded <- fd
		for range binds {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				err = l.Close()
			}
			answers <- err
		}
	}()
	t.Cleanup(func() { close(binds) })
	fd := <-loaded
	require.NotEqual(t, -1, fd)
	state := &specs.ContainerProcessState{State: specs.State{ID: t.Name()}}
	require.NoError(t, supervisor.Attach(state, fd))
	return supervisor, logged, func() error { binds <- struct{}{}; return <-answers }
}

// Close must end the wait of a worker that stays with a session for its next
// notification. Otherwise Close would wait for closeGrace, and warn.
func TestASupervisorThatClosesDoesNotWaitForTheNextCall(t *testing.T) {
	supervisor, logged, bind := startServed(t)
	require.NoError(t, bind()) // a worker now waits for the next call
	supervisor.Close()
	for _, entry := range logged.AllEntries() {
		require.Less(t, logrus.WarnLevel, entry.Level, entry.Message)
	}
}

// Another runtime, or another root directory of the same one, can have a container with
// the same id. Neither is charged for the calls of the other.
func TestContainersOfOneIDInTwoBundlesShareNothing(t *testing.T) {
	supervisor, err := NewSupervisor(quietLog(), nil)
	require.NoError(t, err)
	defer supervisor.Close()
	add := func(bundle string) *session {
		sess := &session{notifyFD: -1 - len(supervisor.sessions), key: containerKey{"web", bundle}}
		require.NoError(t, supervisor.add(sess))
		return sess
	}
	first, exec, other := add("/a/web"), add("/a/web"), add("/b/web")
	require.Same(t, first.container, exec.container)
	require.NotSame(t, first.container, other.container)
	clear(supervisor.sessions) // they have no notify fd to close
}
