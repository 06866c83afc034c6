package agent

import (
	"net"
	"os"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fdstore"
	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/config"
)

// bindInContainer attaches a thread as a container, and returns its id and what a bind in it says.
func bindInContainer(t *testing.T, s *Supervisor, state specs.State, address string) (int, error) {
	t.Helper()
	loaded, answer, ended := make(chan [2]int), make(chan error), make(chan struct{})
	t.Cleanup(func() { close(ended) })
	attached := make(chan struct{})
	go func() {
		fd, _ := loadBindFilter()
		loaded <- [2]int{fd, unix.Gettid()}
		<-attached
		l, err := net.Listen("tcp", address)
		if err == nil {
			l.Close()
		}
		answer <- err
		<-ended // the container goes on
	}()
	thread := <-loaded
	require.NoError(t, s.Attach(
		&specs.ContainerProcessState{Pid: thread[1], State: state}, thread[0]))
	close(attached)
	return thread[1], <-answer
}

// The status has what the containers were allowed and refused, and by which program.
func TestContainersAreDescribed(t *testing.T) {
	s, err := NewSupervisor(quietLog(), policyFromAnnotations)
	require.NoError(t, err)
	defer s.Close()
	before := time.Now()
	refusals, all := s.Subscribe(false, 10), s.Subscribe(true, 10)
	annotations := map[string]string{"port-restricter.port": "1", "other": "key"}
	tid, err := bindInContainer(t, s,
		specs.State{ID: "c1", Bundle: "/b", Annotations: annotations}, "127.0.0.1:5001")
	require.ErrorIs(t, err, unix.EPERM)
	require.Equal(t, tid, int((<-refusals.C).PID))
	require.Eventually(t, func() bool { return (<-all.C).Decision == "deny" },
		time.Minute, time.Millisecond, "after those by which Go looks for IPv6")
	require.Eventually(t, func() bool { return len(s.Containers()[0].Refusals) == 1 },
		time.Minute, time.Millisecond)

	c := s.Containers()[0]
	require.Equal(t, "c1", c.ID)
	require.Equal(t, []int{tid}, c.PIDs)
	require.Equal(t, map[string]string{"port-restricter.port": "1"}, c.Annotations)
	require.Equal(t, "1", c.Policy)
	require.WithinRange(t, c.Since, before, time.Now())
	require.Positive(t, c.Denied) // a signal can make the thread ask again
	require.True(t, c.Unprotected)
	event := c.Refusals[0].First
	require.Equal(t, tid, int(event.PID))
	require.Equal(t, "agent.test", event.Program)
	require.NotEmpty(t, event.Exe)
	require.EqualValues(t, os.Geteuid(), *event.UID)
	require.Contains(t, event.Reason, "is not in port-restricter.port=1")

	stats := s.Stats()
	require.Equal(t, 1, stats.Sessions)
	require.Equal(t, 1, stats.Containers)
	require.Contains(t, stats.Decisions, DecisionCount{"", "bind", "tcp", "deny", c.Denied})
	_, ok := s.Policy("c1")
	require.True(t, ok)
	_, ok = s.Policy("c2")
	require.False(t, ok)
}

// A subscriber that does not read misses events, and holds up nobody.
func TestASlowSubscriberMissesEvents(t *testing.T) {
	a := newAudit(quietLog(), "c1", config.Identity{})
	s := &Supervisor{}
	a.subscribers = &s.subscribers
	slow, quick, refusalsOnly := s.Subscribe(true, 1), s.Subscribe(true, 10), s.Subscribe(false, 10)
	allowed := refusalOf(80)
	allowed.decision = "allow"
	for _, r := range []*record{refusalOf(1), refusalOf(2), allowed} {
		a.look(r, &fakeTarget{})
		a.write(42, r)
	}
	require.EqualValues(t, 2, slow.Missed())
	require.Zero(t, slow.Missed())
	require.Len(t, slow.C, 1)
	require.Len(t, quick.C, 3)
	require.Len(t, refusalsOnly.C, 2)
	quick.Close()
	slow.Close()
	a.write(42, allowed)
	require.Len(t, quick.C, 3)
	require.False(t, a.subscribers.want(false))
}

// A successor goes on with the counts and the time of the agent before. So does a container whose
// exec has ended.
func TestCountsOutliveTheAgentAndTheExec(t *testing.T) {
	memory, err := handover.New()
	require.NoError(t, err)
	since := time.Now().Add(-time.Hour)
	var execFD int
	stored := []fdstore.FD{{Name: memoryName, FD: memory.FD()}}
	for id, exec := range map[uint32]bool{1: false, 2: true} {
		kept, err := memory.Keep(id, handover.Record{
			Container: "c1", Bundle: "/b", Number: 1, Exec: exec,
			Since: since.UnixNano() + int64(id),
		})
		require.NoError(t, err)
		kept.Allowed.Store(uint64(10 * id))
		kept.Denied.Store(uint64(id))
		fd := notifyFDOf(t)
		if exec {
			execFD = fd
		}
		stored = append(stored, fdstore.FD{Name: nameOf(id), FD: fd})
	}
	s, err := NewSuccessor(quietLog(), policyFromAnnotations, newManager(t), stored)
	require.NoError(t, err)
	s.Resume()
	defer s.Close()
	described := func() Container {
		all := s.Containers()
		require.Len(t, all, 1)
		return all[0]
	}
	require.EqualValues(t, 30, described().Allowed)
	require.EqualValues(t, 3, described().Denied)
	require.Equal(t, since.UnixNano()+1, described().Since.UnixNano())
	require.NotEmpty(t, described().Problem)
	require.False(t, described().Unprotected)

	s.detach(s.sessionOf(int32(execFD)), unix.EIO)
	require.EqualValues(t, 30, described().Allowed)
}

// A container of podman is shown by podman's name, whatever the name by which keys speak of it.
func TestAKeyDoesNotChooseTheNameThatIsShown(t *testing.T) {
	s, err := NewSupervisor(quietLog(), allows(t, "5000"))
	require.NoError(t, err)
	defer s.Close()
	state := stateIn("a", specs.StateCreating)
	state.Metadata = config.WithName("", config.Identity{Name: "web", PodmanName: "evil-web"})
	require.NoError(t, s.Attach(state, notifyFDOf(t)))
	require.Equal(t, "evil-web", s.Containers()[0].Name)
}
