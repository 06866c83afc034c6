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

// conversation returns both ends of a connection as a runtime and we have it.
func conversation(t *testing.T) (ours, theirs *net.UnixConn) {
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

// send sends a container with its seccomp fd, as a runtime does.
func send(t *testing.T, conn *net.UnixConn, state *specs.ContainerProcessState, fd int) {
	t.Helper()
	state.Fds = []string{specs.SeccompFdName}
	message, err := json.Marshal(state)
	require.NoError(t, err)
	_, _, err = conn.WriteMsgUnix(message, unix.UnixRights(fd), nil)
	require.NoError(t, err)
}

// openFDs counts what this process has open, but for /proc, which a scanner of
// an earlier test keeps for a while.
func openFDs(t *testing.T) int {
	t.Helper()
	return countFDs(t, func(of string) bool { return !strings.HasPrefix(of, "/proc") })
}

func countFDs(t *testing.T, which func(of string) bool) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		if of, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && which(of) {
			n++
		}
	}
	return n
}

// pipes returns n fds to pass, closed when the test ends.
func pipes(t *testing.T, n int) (fds []int) {
	t.Helper()
	for range n {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		w.Close()
		t.Cleanup(func() { r.Close() })
		fds = append(fds, int(r.Fd()))
	}
	return fds
}

func stateJSON(t *testing.T, fds ...string) string {
	t.Helper()
	text, err := json.Marshal(specs.ContainerProcessState{Version: specs.Version, Fds: fds, Pid: 7, State: specs.State{ID: "c1"}})
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
		{"annotation twice", `{"fds":["seccompFd"],"state":{"annotations":{"port-restricter.port":"1","port-restricter.port":"2"}}}`, 1, `key "port-restricter.port" twice`},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs := conversation(t)
			fds := pipes(t, c.fds)
			before := openFDs(t)
			_, _, err := theirs.WriteMsgUnix([]byte(c.message), unix.UnixRights(fds...), nil)
			require.NoError(t, err)
			require.NoError(t, theirs.CloseWrite())
			_, _, err = Receive(ours)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, before, openFDs(t))
		})
	}
}

func TestReceiveFindsTheSeccompFDByItsIndexAndClosesTheOthers(t *testing.T) {
	ours, theirs := conversation(t)
	fds := pipes(t, 3)
	before := openFDs(t)
	_, _, err := theirs.WriteMsgUnix([]byte(stateJSON(t, "pidFd", "seccompFd", "other")), unix.UnixRights(fds...), nil)
	require.NoError(t, err)
	// The connection stays open: runc keeps it so.
	state, fd, err := Receive(ours)
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
	ours, theirs := conversation(t)
	fds := pipes(t, 1)
	big := specs.ContainerProcessState{Fds: []string{"seccompFd"}, State: specs.State{ID: "big", Annotations: map[string]string{"pod": strings.Repeat("x", 300<<10)}}}
	message, err := json.Marshal(big)
	require.NoError(t, err)
	go func() {
		_, _, _ = theirs.WriteMsgUnix(message[:1], unix.UnixRights(fds...), nil)
		_, _ = theirs.Write(message[1:])
	}()
	state, fd, err := Receive(ours)
	require.NoError(t, err)
	require.Len(t, state.State.Annotations["pod"], 300<<10)
	unix.Close(fd)
}

func TestReceiveRefusesFDsThatComeLater(t *testing.T) {
	ours, theirs := conversation(t)
	fds := pipes(t, 2)
	before := openFDs(t)
	message := stateJSON(t, "seccompFd")
	_, _, err := theirs.WriteMsgUnix([]byte(message[:5]), unix.UnixRights(fds[0]), nil)
	require.NoError(t, err)
	go func() { _, _, _ = theirs.WriteMsgUnix([]byte(message[5:]), unix.UnixRights(fds[1]), nil) }()
	_, _, err = Receive(ours)
	require.ErrorContains(t, err, "came with a later message")
	require.Equal(t, before, openFDs(t))
}

func TestReceiveBoundsTheState(t *testing.T) {
	ours, theirs := conversation(t)
	fds := pipes(t, 1)
	before := openFDs(t)
	go func() {
		_, _, _ = theirs.WriteMsgUnix([]byte(`{"x":"`), unix.UnixRights(fds...), nil)
		chunk := []byte(strings.Repeat("x", 1<<20))
		for range 17 {
			if _, err := theirs.Write(chunk); err != nil {
				return
			}
		}
	}()
	_, _, err := Receive(ours)
	require.ErrorContains(t, err, "larger than 16 MiB")
	require.Equal(t, before, openFDs(t))
}

func TestReceiveTakesAsManyFDsAsTheKernelPasses(t *testing.T) {
	ours, theirs := conversation(t)
	fds := pipes(t, maxFDs)
	before := openFDs(t)
	names := make([]string, maxFDs)
	names[maxFDs-1] = "seccompFd"
	_, _, err := theirs.WriteMsgUnix([]byte(stateJSON(t, names...)), unix.UnixRights(fds...), nil)
	require.NoError(t, err)
	_, fd, err := Receive(ours)
	require.NoError(t, err)
	unix.Close(fd)
	require.Equal(t, before, openFDs(t))
}

func TestReceiveSaysWhenNothingCame(t *testing.T) {
	ours, theirs := conversation(t)
	theirs.Close()
	_, _, err := Receive(ours)
	require.ErrorIs(t, err, ErrNothingSent)
}

func TestReceiveEndsAtItsDeadline(t *testing.T) {
	ours, _ := conversation(t)
	require.NoError(t, ours.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, _, err := Receive(ours)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestSendIsWhatReceiveReads(t *testing.T) {
	ours, theirs := conversation(t)
	fds := pipes(t, 1)
	send(t, theirs, &specs.ContainerProcessState{Pid: 9, State: specs.State{ID: "run"}}, fds[0])
	state, fd, err := Receive(ours)
	require.NoError(t, err)
	require.Equal(t, 9, state.Pid)
	unix.Close(fd)
}
