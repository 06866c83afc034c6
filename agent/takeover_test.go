package agent

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fdstore"
	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/config"
)

// newManager returns a service manager that keeps nothing: it only reads.
func newManager(t *testing.T) *fdstore.Manager {
	t.Helper()
	path := t.TempDir() + "/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		for buffer := make([]byte, 4096); ; {
			if _, err := conn.Read(buffer); err != nil {
				return
			}
		}
	}()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("FDSTORE", "100")
	manager, err := fdstore.Connect()
	require.NoError(t, err)
	return manager
}

func policyFromAnnotations(state *specs.ContainerProcessState) (config.Policy, error) {
	container := config.Container{ID: state.State.ID, Annotations: state.State.Annotations}
	return config.FromState(container, state.Metadata, config.Rules{})
}

// notifyFDOf returns the notify fd of a new thread, which ends with the test.
func notifyFDOf(t *testing.T) int {
	t.Helper()
	loaded, done := make(chan int), make(chan struct{})
	go func() {
		fd, _ := loadBindFilter()
		loaded <- fd
		<-done
	}()
	t.Cleanup(func() { close(done) })
	fd := <-loaded
	require.NotEqual(t, -1, fd)
	return fd
}

// Whatever is in the store, the agent starts, serves what can be served, and says the rest.
func TestBadStoredFDsDoNotStopTheStart(t *testing.T) {
	memory, err := handover.New()
	require.NoError(t, err)
	ports := map[string]string{"port-restricter.port": "5000"}
	for id, record := range map[uint32]handover.Record{
		1: {Container: "good", Bundle: "/good", Number: 9, Home: 7, Annotations: ports},
		2: {Container: "bad", Bundle: "/bad", Number: 10,
			Annotations: map[string]string{"port-restricter.port": "x"}},
		3: {Container: "gone", Bundle: "/gone"},
	} {
		_, err := memory.Keep(id, record)
		require.NoError(t, err)
	}
	at := netip.MustParseAddrPort("0.0.0.0:5000")
	memory.NewSockets(9).Write(nil, handover.Socket{Cookie: 77, At: at})
	pipe := pipes(t, 1)[0]
	ended := notifyFDOfEnded(t)

	log, logged := logtest.NewNullLogger()
	s, err := NewSuccessor(log, policyFromAnnotations, newManager(t), []fdstore.FD{
		{Name: memoryName, FD: memory.FD()},
		{Name: nameOf(1), FD: notifyFDOf(t)},
		{Name: nameOf(1), FD: notifyFDOf(t)},
		{Name: nameOf(2), FD: notifyFDOf(t)},
		{Name: nameOf(3), FD: ended},
		{Name: nameOf(4), FD: notifyFDOf(t)},
		{Name: "LISTEN_FD_9", FD: notifyFDOf(t)},
		{Name: nameOf(5), FD: pipe},
		{Name: memoryName, FD: dupOf(t, pipe)},
	})
	require.NoError(t, err)
	s.Resume()
	defer s.Close()
	policies := map[string]int{}
	for _, sess := range s.sessions {
		policies[sess.key.id+": "+sess.policy.Load().String()]++
	}
	require.Equal(t, map[string]int{"good: 5000": 1, "bad: deny all": 1, "unknown: deny all": 3},
		policies)
	good := s.ids[1]
	require.Equal(t, 7, good.record.Home)
	require.Nil(t, good.container.bound.sockets, "nobody waits for what one container has bound")
	require.True(t, good.container.bound.has(socketID{cookie: 77}))
	var said []string
	for _, entry := range logged.AllEntries() {
		if entry.Level <= logrus.WarnLevel {
			text, err := entry.String()
			require.NoError(t, err)
			said = append(said, text)
		}
	}
	all := strings.Join(said, "")
	for _, text := range []string{
		`another fd is named \"1\", too`, `"x\" is not a port`, "left no record of it",
		`it is named \"LISTEN_FD_9\", which is no name of a session`, "not a seccomp notify fd",
		"there are two",
	} {
		require.Contains(t, all, text)
	}
	require.NotContains(t, all, "gone")

	// New rules are for what is known of a container, and lift no refusal for lack of that.
	s.SetPolicy(allows(t, "6000"))
	clear(policies)
	for _, sess := range s.sessions {
		policies[sess.key.id+": "+sess.policy.Load().String()]++
	}
	require.Equal(t, map[string]int{"good: 6000": 1, "bad: 6000": 1, "unknown: deny all": 3},
		policies)
}

func dupOf(t *testing.T, fd int) int {
	t.Helper()
	other, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	return other
}

// notifyFDOfEnded returns the notify fd of a thread that has ended.
func notifyFDOfEnded(t *testing.T) int {
	t.Helper()
	process, fd := startTarget(t)
	require.NoError(t, process.Kill())
	_, err := process.Wait()
	require.NoError(t, err)
	return fd
}
