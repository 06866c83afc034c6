package agent

import (
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// connect returns both ends of a connection, as the agent and an OCI runtime have
// them.
func connect(t *testing.T) (agentEnd, runtimeEnd *net.UnixConn) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	var ends [2]*net.UnixConn
	for i, fd := range pair {
		file := os.NewFile(uintptr(fd), "")
		conn, err := net.FileConn(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		ends[i] = conn.(*net.UnixConn)
		t.Cleanup(func() { conn.Close() })
	}
	require.NoError(t, ends[0].SetReadDeadline(time.Now().Add(receiveLimit)))
	return ends[0], ends[1]
}

// send sends a container with its seccomp fd, as an OCI runtime does.
func send(t *testing.T, conn *net.UnixConn, state *specs.ContainerProcessState, fd int) {
	t.Helper()
	state.Fds = []string{specs.SeccompFdName}
	message, err := json.Marshal(state)
	require.NoError(t, err)
	_, _, err = conn.WriteMsgUnix(message, unix.UnixRights(fd), nil)
	require.NoError(t, err)
}

// stateJSON returns a container process state with these names of fds.
func stateJSON(t *testing.T, fds ...string) string {
	t.Helper()
	text, err := json.Marshal(specs.ContainerProcessState{
		Version: specs.Version, Fds: fds, Pid: 7, State: specs.State{ID: "c1"},
	})
	require.NoError(t, err)
	return string(text)
}

func TestReceiveRefusesBadMessagesAndLeaksNoFD(t *testing.T) {
	for _, c := range []struct {
		name    string
		message string
		fds     int
		says    string
	}{
		{"cut off", `{"ociVersion":"1.0`, 1, "in the middle of a value"},
		{"no JSON", "hello", 1, "read the container process state"},
		{"wrong type", `{"fds":7}`, 1, "read the container process state"},
		{"no seccompFd", stateJSON(t, "pidFd"), 1, `fds has no "seccompFd": ["pidFd"]`},
		{"no names", stateJSON(t), 1, `fds has no "seccompFd"`},
		{"seccompFd twice", stateJSON(t, "seccompFd", "seccompFd"), 2, `names "seccompFd" twice`},
		{"more names than fds", stateJSON(t, "other", "seccompFd"), 1, "names 2 file descriptors"},
		{"no fds", stateJSON(t, "seccompFd"), 0, "but 0 came"},
		{
			"annotation twice",
			`{"fds":["seccompFd"],"state":{"annotations":` +
				`{"port-restricter.port":"1","port-restricter.port":"2"}}}`,
			1, `the key "port-restricter.port" occurs twice`,
		},
		{"a key in another case", `{"Fds":["seccompFd"]}`, 1, `"Fds" is "fds" to programs`},
		{
			"NUL in an annotation",
			`{"fds":["seccompFd"],"state":{"annotations":{"port-restricter.port":"1\u0000,2"}}}`,
			1, `state.annotations["port-restricter.port"]: the string "1\u0000,2" has a NUL`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			agentEnd, runtimeEnd := connect(t)
			fds := pipes(t, c.fds)
			before := settledFDs(t)
			_, _, err := runtimeEnd.WriteMsgUnix([]byte(c.message), unix.UnixRights(fds...), nil)
			require.NoError(t, err)
			require.NoError(t, runtimeEnd.CloseWrite())
			_, _, err = Receive(agentEnd)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, before, openFDs(t))
		})
	}
}

func TestReceiveFindsTheSeccompFDByItsIndexAndClosesTheOthers(t *testing.T) {
	agentEnd, runtimeEnd := connect(t)
	fds := pipes(t, 3)
	before := settledFDs(t)
	message := []byte(stateJSON(t, "pidFd", "seccompFd", "other"))
	_, _, err := runtimeEnd.WriteMsgUnix(message, unix.UnixRights(fds...), nil)
	require.NoError(t, err)
	// The connection stays open, as runc keeps it.
	state, fd, err := Receive(agentEnd)
	require.NoError(t, err)
	require.Equal(t, "c1", state.State.ID)
	require.Equal(t, before+1, openFDs(t))

	var got, sent unix.Stat_t
	require.NoError(t, unix.Fstat(fd, &got))
	require.NoError(t, unix.Fstat(fds[1], &sent))
	require.Equal(t, sent.Ino, got.Ino)
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	require.NoError(t, err)
	require.NotZero(t, flags&unix.FD_CLOEXEC)
	unix.Close(fd)
}

func TestReceiveTakesAStateThatComesInPieces(t *testing.T) {
	agentEnd, runtimeEnd := connect(t)
	fds := pipes(t, 1)
	big := specs.ContainerProcessState{
		Fds: []string{"seccompFd"},
		State: specs.State{
			ID: "big", Annotations: map[string]string{"pod": strings.Repeat("x", 300<<10)},
		},
	}
	message, err := json.Marshal(big)
	require.NoError(t, err)
	go func() {
		_, _, _ = runtimeEnd.WriteMsgUnix(message[:1], unix.UnixRights(fds...), nil)
		_, _ = runtimeEnd.Write(message[1:])
	}()
	state, fd, err := Receive(agentEnd)
	require.NoError(t, err)
	require.Len(t, state.State.Annotations["pod"], 300<<10)
	unix.Close(fd)
}

func TestReceiveRefusesFDsThatComeLater(t *testing.T) {
	agentEnd, runtimeEnd := connect(t)
	fds := pipes(t, 2)
	before := settledFDs(t)
	message := stateJSON(t, "seccompFd")
	_, _, err := runtimeEnd.WriteMsgUnix([]byte(message[:5]), unix.UnixRights(fds[0]), nil)
	require.NoError(t, err)
	go func() {
		_, _, _ = runtimeEnd.WriteMsgUnix([]byte(message[5:]), unix.UnixRights(fds[1]), nil)
	}()
	_, _, err = Receive(agentEnd)
	require.ErrorContains(t, err, "came with a later message")
	require.Equal(t, before, openFDs(t))
}

func TestReceiveBoundsTheState(t *testing.T) {
	agentEnd, runtimeEnd := connect(t)
	fds := pipes(t, 1)
	before := settledFDs(t)
	go func() {
		_, _, _ = runtimeEnd.WriteMsgUnix([]byte(`{"x":"`), unix.UnixRights(fds...), nil)
		chunk := []byte(strings.Repeat("x", 1<<20))
		for range 17 {
			if _, err := runtimeEnd.Write(chunk); err != nil {
				return
			}
		}
	}()
	_, _, err := Receive(agentEnd)
	require.ErrorContains(t, err, "larger than 16 MiB")
	require.Equal(t, before, openFDs(t))
}

func TestReceiveTakesAsManyFDsAsTheKernelPasses(t *testing.T) {
	agentEnd, runtimeEnd := connect(t)
	fds := pipes(t, maxFDs)
	before := settledFDs(t)
	names := make([]string, maxFDs)
	names[maxFDs-1] = "seccompFd"
	message := []byte(stateJSON(t, names...))
	_, _, err := runtimeEnd.WriteMsgUnix(message, unix.UnixRights(fds...), nil)
	require.NoError(t, err)
	_, fd, err := Receive(agentEnd)
	require.NoError(t, err)
	unix.Close(fd)
	require.Equal(t, before, openFDs(t))
}

// The agent tells a connection without a message, as crun makes one, from a message
// that was cut off.
func TestReceiveSaysWhenNothingCame(t *testing.T) {
	agentEnd, runtimeEnd := connect(t)
	runtimeEnd.Close()
	_, _, err := Receive(agentEnd)
	require.ErrorIs(t, err, ErrNothingSent)
}

func TestReceiveEndsAtItsDeadline(t *testing.T) {
	agentEnd, _ := connect(t)
	require.NoError(t, agentEnd.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, _, err := Receive(agentEnd)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// The other tests send containers with send.
func TestSendIsWhatReceiveReads(t *testing.T) {
	agentEnd, runtimeEnd := connect(t)
	fds := pipes(t, 1)
	send(t, runtimeEnd, &specs.ContainerProcessState{Pid: 9, State: specs.State{ID: "run"}}, fds[0])
	state, fd, err := Receive(agentEnd)
	require.NoError(t, err)
	require.Equal(t, 9, state.Pid)
	unix.Close(fd)
}

// Whatever the message, Receive leaves no fd behind and does not panic.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"ociVersion":"1.0.2","fds":["seccompFd"],"pid":1,`+
		`"state":{"id":"c","annotations":{"a":"b"}}}`), 1)
	f.Add([]byte(`{"fds":["a","seccompFd"]}{"fds":[]}`), 2)
	f.Add([]byte(`[{"fds":1}`), 0)
	f.Add([]byte(`{"fds":["seccompFd"],"fds":[]}`), 3)
	f.Fuzz(func(t *testing.T, message []byte, fds int) {
		agentEnd, runtimeEnd := connect(t)
		sent := pipes(t, min(max(fds, 0), 8))
		before := settledFDs(t)
		if len(message) > 0 {
			_, _, err := runtimeEnd.WriteMsgUnix(message, unix.UnixRights(sent...), nil)
			require.NoError(t, err)
		}
		require.NoError(t, runtimeEnd.CloseWrite())
		state, fd, err := Receive(agentEnd)
		if err == nil {
			require.Contains(t, state.Fds, "seccompFd")
			require.NoError(t, unix.Close(fd))
		} else {
			require.Equal(t, -1, fd)
		}
		require.Equal(t, before, openFDs(t))
	})
}
