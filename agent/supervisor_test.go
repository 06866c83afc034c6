package agent

import (
	"fmt"
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
		require.NotContains(t, entry.Message, "in flight")
	}
}

// A container that loses its supervisor can bind nothing any more: its user reads that it was
// the agent's end.
func TestASupervisorThatClosesNamesItsContainers(t *testing.T) {
	supervisor, logged, _ := startServed(t)
	supervisor.Close()
	last := logged.LastEntry()
	require.Equal(t, logrus.WarnLevel, last.Level)
	require.Equal(t, []string{t.Name()}, last.Data["containers"])
	require.Contains(t, last.Message, "restart them")

	crowd := &Supervisor{log: supervisor.log, sessions: map[int32]*session{}}
	for n := range int32(3 * namedAtClose) { // each of them with an exec
		crowd.sessions[n] = &session{key: containerKey{id: fmt.Sprint("c", n/2)}}
	}
	crowd.warnOfLoss()
	require.Len(t, logged.LastEntry().Data["containers"], namedAtClose)
	require.Equal(t, 3*namedAtClose/2, logged.LastEntry().Data["count"])

	logged.Reset()
	clear(crowd.sessions)
	crowd.warnOfLoss()
	require.Empty(t, logged.AllEntries())
}

// Another runtime, or another root directory of the same one, can have a container with
// the same id. Neither is charged for the calls of the other.
func TestContainersOfOneIDInTwoBundlesShareNothing(t *testing.T) {
	supervisor, err := NewSupervisor(quietLog(), nil)
	require.NoError(t, err)
	defer supervisor.Close()
	add := func(bundle string) *session {
		sess := &session{
			notifyFD: -1 - len(supervisor.sessions), key: containerKey{"web", bundle},
			audit: newAudit(quietLog(), "web", config.Identity{}),
		}
		require.NoError(t, supervisor.add(sess))
		return sess
	}
	first, exec, other := add("/a/web"), add("/a/web"), add("/b/web")
	require.Same(t, first.container, exec.container)
	require.NotSame(t, first.container, other.container)
	clear(supervisor.sessions) // they have no notify fd to close
}
