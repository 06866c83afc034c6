package agent

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// ask asks the agent about a process.
func ask(t *testing.T, socket string, q inquiry.Question) bool {
	t.Helper()
	conn := dial(t, socket)
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	answer, err := inquiry.Ask(conn, q)
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	conn.Close()
	return answer.Attached
}

// A guard learns whether the agent serves the process that it names: this process of this
// container, for as long as it lives.
func TestAGuardLearnsWhetherAProcessIsAttached(t *testing.T) {
	path, _, logs, _ := startAgent(t)
	q := inquiry.Question{Container: "c1", Pid: 77}
	require.False(t, ask(t, path, q))

	target, fd := startTarget(t)
	require.NoError(t, target.Signal(unix.SIGSTOP))
	conn := dial(t, path)
	send(t, conn, &specs.ContainerProcessState{Pid: 77, State: specs.State{ID: "c1"}}, fd)
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, unix.Close(fd))

	require.True(t, ask(t, path, q))
	require.False(t, ask(t, path, inquiry.Question{Container: "c1", Pid: 78}))
	require.False(t, ask(t, path, inquiry.Question{Container: "c2", Pid: 77}))

	require.NoError(t, target.Kill())
	_, err = target.Wait()
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !ask(t, path, q) }, 5*time.Second, time.Millisecond)

	logs.Reset()
	ask(t, path, inquiry.Question{Container: "c1", Pid: 77, Refused: "it had no filter"})
	logged := logs.LastEntry()
	require.Equal(t, logrus.ErrorLevel, logged.Level)
	require.Equal(t, "c1", logged.Data["container"])
	require.Equal(t, "it had no filter", logged.Data["reason"])
	require.Contains(t, logged.Message, "killed")
}

// What engines hide from their users, the agent logs: why a container was refused. A container
// that is refused again and again does not fill the disk.
func TestARefusalIsLogged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	l, err := Listen(path, quietLog())
	require.NoError(t, err)
	l.refusals = rate.NewLimiter(rate.Every(startsInterval), 1)
	_, logs, _ := serveOn(t, l)
	refused := inquiry.Question{
		Container: "c1", By: "hook precreate",
		Refused: "no port:\x1b[31m\n" + strings.Repeat("x", 10_000),
	}
	require.False(t, ask(t, path, refused))
	logged := logs.LastEntry()
	require.Equal(t, logrus.ErrorLevel, logged.Level)
	require.Equal(t, "a container was refused, and does not start", logged.Message)
	require.Equal(t, "c1", logged.Data["container"])
	require.Equal(t, "hook precreate", logged.Data["by"])
	require.Regexp(t, `^no port:\\x1b\[31m\\nx+…$`, logged.Data["reason"])

	for range 10 {
		require.False(t, ask(t, path, refused))
	}
	require.Len(t, logs.AllEntries(), 1)
	l.refusals.SetLimit(rate.Inf)
	require.False(t, ask(t, path, refused))
	require.EqualValues(t, 10, logs.LastEntry().Data["skipped"])
}

// The service manager's socket is as good.
func TestARefusalIsLoggedByAnAgentOnTheSocketOfTheManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	require.NoError(t, err)
	file, err := socket.File()
	require.NoError(t, err)
	socket.SetUnlinkOnClose(false)
	require.NoError(t, socket.Close())
	fd, err := unix.Dup(int(file.Fd()))
	require.NoError(t, err)
	require.NoError(t, file.Close())
	l, err := ListenOn(fd, quietLog())
	require.NoError(t, err)
	_, logs, _ := serveOn(t, l)
	require.False(t, ask(t, path, inquiry.Question{Container: "c1", By: "x", Refused: "no port"}))
	require.Equal(t, "no port", logs.LastEntry().Data["reason"])
}

// A question that is not one gets no answer, and the fds that came with it don't stay open.
func TestABadQuestionGetsNoAnswer(t *testing.T) {
	path, _, logs, _ := startAgent(t)
	fds := pipes(t, 2)
	before := settledFDs(t)
	for _, text := range []string{
		`{"inquiry":{}}`,
		`{"inquiry":{"container":"c1","pid":0}}`,
		`{"inquiry":{"container":"c1","pid":7,"pid":8}}`,
	} {
		logs.Reset()
		conn := dial(t, path)
		_, _, err := conn.WriteMsgUnix([]byte(text), unix.UnixRights(fds...), nil)
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Empty(t, answer)
		require.ErrorIs(t, logs.LastEntry().Data[logrus.ErrorKey].(error), errInquiry)
		conn.Close()
	}
	require.Equal(t, before, openFDs(t))
}

// A guard that asks and never reads holds up neither the next guard nor the agent's end.
func TestAGuardThatNeverReadsDelaysNobody(t *testing.T) {
	path, _, _, stop := startAgent(t)
	text, err := inquiry.Question{Container: "c1", Pid: 7}.Encode()
	require.NoError(t, err)
	for range 20 {
		_, err := dial(t, path).Write(text)
		require.NoError(t, err)
	}
	require.False(t, ask(t, path, inquiry.Question{Container: "c1", Pid: 7}))
	began := time.Now()
	stop()
	require.Less(t, time.Since(began), closeGrace)
}
