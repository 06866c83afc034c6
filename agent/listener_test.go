package agent

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

func TestListenMakesASocketForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "agent.sock")
	l, err := Listen(path, quietLog())
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, l.Close())
	require.NoFileExists(t, path)
}

// A second agent must not take the socket from a running one.
func TestListenRefusesALiveSocketAndKeepsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	first, err := Listen(path, quietLog())
	require.NoError(t, err)
	defer first.Close()
	_, err = Listen(path, quietLog())
	require.ErrorContains(t, err, "another agent listens on it")
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	conn.Close()
}

// An agent that was killed leaves its socket behind.
func TestListenReplacesADeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	l, err := Listen(path, quietLog())
	require.NoError(t, err)
	l.Close()
}

// The errors of the kernel, EINVAL and ENOTDIR here, do not tell a newcomer what to do.
func TestListenSaysWhichPathToChoose(t *testing.T) {
	dir := t.TempDir()
	longest := filepath.Join(dir, strings.Repeat("x", pathLimit-len(dir)-1))
	l, err := Listen(longest, quietLog())
	require.NoError(t, err)
	l.Close()
	_, err = Listen(longest+"x", quietLog())
	require.ErrorContains(t, err, "has 108 bytes, and the kernel takes 107: choose a shorter one")

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Listen(filepath.Join(file, "agent.sock"), quietLog())
	require.ErrorContains(t, err, "choose another path with --socket (in $XDG_RUNTIME_DIR")
}

// A path with a typing error makes no directories.
func TestListenMakesOneDirectoryOnly(t *testing.T) {
	dir := t.TempDir()
	l, err := Listen(filepath.Join(dir, "made", "agent.sock"), quietLog())
	require.NoError(t, err)
	l.Close()
	missing := filepath.Join(dir, "mistyped")
	_, err = Listen(filepath.Join(missing, "made", "agent.sock"), quietLog())
	require.ErrorContains(t, err, "there is no directory "+missing+": make it (mkdir -p "+missing+
		"), or choose another path with --socket")
	require.NoDirExists(t, missing)
}

func TestListenKeepsAFileThatIsNotASocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.sock")
	require.NoError(t, os.MkdirAll(filepath.Join(path, "precious"), 0o755))
	_, err := Listen(path, quietLog())
	require.ErrorContains(t, err, "is not a socket")
	require.DirExists(t, filepath.Join(path, "precious"))
}

// startAgent serves a new socket. stop ends the agent, as the end of the test does.
func startAgent(
	t *testing.T,
) (path string, supervisor *Supervisor, logs *logtest.Hook, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "agent.sock")
	log := quietLog()
	l, err := Listen(path, log)
	require.NoError(t, err)
	supervisor, logs, stop = serveOn(t, l)
	return path, supervisor, logs, stop
}

// serveOn runs an agent on a listener.
func serveOn(
	t *testing.T, l *Listener,
) (supervisor *Supervisor, logs *logtest.Hook, stop func()) {
	t.Helper()
	logs = logtest.NewLocal(l.log)
	policy := func(s *specs.ContainerProcessState) (config.Policy, error) {
		if s.State.ID == "fault" {
			panic("a fault")
		}
		return config.FromState(
			config.Container{ID: s.State.ID, Annotations: s.State.Annotations}, s.Metadata,
			config.Rules{})
	}
	supervisor, err := NewSupervisor(l.log, policy)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- l.Serve(ctx, supervisor) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-served)
			supervisor.Close()
		}
	}
	t.Cleanup(stop)
	return supervisor, logs, stop
}

func dial(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UnixConn)
}

// A runtime may send the wrong fd. The log says so, and the fd does not stay open.
func TestAnFDOfAnotherKindIsRefusedAndClosed(t *testing.T) {
	path, _, logs, _ := startAgent(t)
	fds := pipes(t, 1)
	epoll, err := unix.EpollCreate1(0)
	require.NoError(t, err)
	defer unix.Close(epoll)
	before := settledFDs(t)
	for _, fd := range []int{fds[0], epoll} {
		logs.Reset()
		conn := dial(t, path)
		send(t, conn, &specs.ContainerProcessState{State: specs.State{ID: "odd"}}, fd)
		_, err := conn.Read(make([]byte, 1)) // the agent closes the connection when it is done
		require.ErrorIs(t, err, io.EOF)
		logged := logs.LastEntry().Data[logrus.ErrorKey].(error)
		require.Contains(t, logged.Error(), "not a seccomp notify fd")
		conn.Close()
	}
	require.Equal(t, before, openFDs(t))
}

// A notify fd whose target is dead already, and a notify fd that is sent twice, must
// not stay open. The bind of the target that lives must be answered.
func TestANotifyFDThatIsDeadOrSentTwiceDoesNotStayOpen(t *testing.T) {
	path, _, _, _ := startAgent(t)
	send := func(fd int) {
		conn := dial(t, path)
		send(t, conn, &specs.ContainerProcessState{State: specs.State{ID: "c1"}}, fd)
		_, err := conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		conn.Close()
	}
	before := seccompFDs(t)

	dead, fd := startTarget(t)
	require.NoError(t, dead.Kill())
	_, err := dead.Wait()
	require.NoError(t, err)
	send(fd)
	require.NoError(t, unix.Close(fd))

	live, fd := startTarget(t)
	t.Cleanup(func() { _ = live.Kill() })
	send(fd)
	send(fd)
	require.NoError(t, unix.Close(fd))
	ended := make(chan error, 1)
	go func() { _, err := live.Wait(); ended <- err }()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(5 * time.Second):
		require.Fail(t, "the bind was not answered")
	}
	require.Eventually(t, func() bool {
		return seccompFDs(t) == before
	}, 5*time.Second, 10*time.Millisecond)
}

// seccompFDs counts the notify fds that this process has open.
func seccompFDs(t *testing.T) int {
	t.Helper()
	return countFDs(t, func(link string) bool { return link == "anon_inode:seccomp notify" })
}

// Clients that connect and send nothing must not hold up the next container.
func TestASilentClientDelaysNobody(t *testing.T) {
	path, _, logs, _ := startAgent(t)
	for range 20 {
		dial(t, path) // sends nothing
	}
	conn := dial(t, path)
	state := &specs.ContainerProcessState{State: specs.State{ID: "loud"}}
	send(t, conn, state, pipes(t, 1)[0])
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	logged := logs.LastEntry().Data[logrus.ErrorKey].(error)
	require.Contains(t, logged.Error(), `container "loud"`)
}

// A fault of this program that one container brings to light costs the others nothing.
func TestAFaultWhileAContainerIsAttachedEndsNothing(t *testing.T) {
	path, _, logs, _ := startAgent(t)
	_, fd := startTarget(t)
	conn := dial(t, path)
	send(t, conn, &specs.ContainerProcessState{Pid: 77, State: specs.State{ID: "fault"}}, fd)
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.False(t, ask(t, path, inquiry.Question{Container: "c1", Pid: 77}), "it still answers")
	require.Contains(t, logs.AllEntries()[0].Message, "a fault of port-restricter")
	require.Equal(t, "every bind will be refused", logs.AllEntries()[1].Message)
}
