package target

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// startWithChild starts a command that writes a line once it has a child, and returns
// the pids of both.
func startWithChild(
	t *testing.T, attributes *syscall.SysProcAttr, argv ...string,
) (pid, child int) {
	t.Helper()
	command := exec.Command(argv[0], argv[1:]...)
	command.SysProcAttr = attributes
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	_, err = out.Read(make([]byte, 1))
	require.NoError(t, err)
	s := openSharers(t)
	processes, err := s.list(s.proc, nil)
	require.NoError(t, err)
	for _, process := range ids(processes) {
		status, err := readStatus(process, nil)
		if err != nil {
			continue // the process has ended
		}
		parent, err := status.field("PPid")
		require.NoError(t, err)
		if parent == strconv.Itoa(command.Process.Pid) {
			t.Cleanup(func() { _ = unix.Kill(process, unix.SIGKILL) })
			return command.Process.Pid, process
		}
	}
	require.Fail(t, "no child was found", "%v", argv)
	return 0, 0
}

// startPIDNamespace starts a shell in a pid namespace of its own, with a child there.
func startPIDNamespace(t *testing.T) (first, child int) {
	t.Helper()
	rootIs := func(id int) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{{HostID: id, Size: 1}}
	}
	return startWithChild(t, &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWPID,
		UidMappings: rootIs(os.Getuid()), GidMappings: rootIs(os.Getgid()),
	}, "sh", "-c", "sleep 1000 & echo; wait")
}

// A task of another pid namespace than the container's cannot be under the container's
// filter. So a task must never be taken to be in another one than it is.
func TestTheHomeOfATaskIsTheFirstProcessOfItsPIDNamespace(t *testing.T) {
	first, child := startPIDNamespace(t)
	require.Equal(t, first, Home(first))
	require.Equal(t, first, Home(child))
	other, _ := startPIDNamespace(t)
	require.NotEqual(t, first, Home(other))

	require.Zero(t, Home(os.Getpid()), "a task of the agent's own pid namespace has no home")
	_, inside, err := outermostInit(os.Getpid())
	require.NoError(t, err)
	require.False(t, inside)

	_, joined := startWithChild(t, nil, "nsenter", "--preserve-credentials", "--user", "--pid",
		"--target", strconv.Itoa(first), "sh", "-c", "echo; sleep 1000; true")
	require.Zero(t, Home(joined), "a task that joined from outside has ancestors outside")
	_, inside, err = outermostInit(joined)
	require.True(t, inside)
	require.ErrorIs(t, err, errJoined)
	require.Zero(t, Home(0))
}

// loadFilter puts the calling thread, and what it starts from then on, under a seccomp
// filter that allows everything. The thread ends with the test.
func loadFilter(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	program := unix.SockFprog{Len: 1, Filter: &allow}
	require.NoError(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_SECCOMP,
		unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)))
	require.Zero(t, errno)
}

// Shows which tasks a scan leaves out without comparing them. One too many is a way to
// swap an fd unseen.
func TestOnlyATaskOutsideTheFilterIsLeftOut(t *testing.T) {
	home, unfiltered := startPIDNamespace(t)
	loadFilter(t)
	join := func(pid int) (joined int) {
		_, joined = startWithChild(t, nil, "nsenter", "--preserve-credentials", "--user", "--pid",
			"--target", strconv.Itoa(pid), "sh", "-c", "echo; sleep 1000; true")
		return joined
	}
	own, ownChild := startPIDNamespace(t)
	_, outside := startWithChild(t, nil, "sh", "-c", "sleep 1000 & echo; wait")
	_, foreign := startPIDNamespace(t)
	for _, c := range []struct {
		name       string
		home, task int
		leftOut    bool
	}{
		{"under no filter", home, unfiltered, true},
		{"the container's first process", own, own, false},
		{"in the container", own, ownChild, false},
		{"that joined the container", own, join(own), false},
		{"in another container", own, foreign, true},
		{"that joined another container", own, join(foreign), false},
		{"in the agent's pid namespace", own, outside, true},
		{"in the agent's pid namespace, as the container is", 0, outside, false},
		{"inside the container's namespace, which is the agent's", 0, foreign, false},
		{"that is gone", own, 0, true},
	} {
		s := &scan{tid: os.Getpid(), home: c.home}
		require.Equal(t, c.leftOut, s.cannotShare(c.task, nil), "a task %s", c.name)
	}
}
