package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/test/runc"
)

// showProcess is an OCI runtime that prints the state of its process: its arguments,
// environment, fds, signals, credentials and whatever else execve(2) preserves.
const showProcess = `#!/usr/bin/python3
import ctypes, os, resource, signal, sys
if sys.argv[1:] == ["features"]: sys.exit(1)
death = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(death)) # PR_GET_PDEATHSIG
print(sys.argv[1:], os.getcwd(), os.getppid(), "killed by", death.value)
print(resource.getrlimit(resource.RLIMIT_NOFILE))
print(sorted(os.environ.items()), sorted(os.listdir("/proc/self/fd")))
print(open("/proc/self/timerslack_ns").read())
fields = ("SigP", "SigB", "SigI", "SigC", "Shd", "Cap", "NoNewPrivs", "Uid", "Gid", "Groups")
print([line for line in open("/proc/self/status") if line.startswith(fields)])
`

// TestShimKeepsTheProcessAsItWas shows that an OCI runtime starts in the same process state
// with and without the shim: engines rely on it, for example on the signal that kills a
// runtime when its engine ends.
func TestShimKeepsTheProcessAsItWas(t *testing.T) {
	runtime := filepath.Join(t.TempDir(), "runtime")
	require.NoError(t, os.WriteFile(runtime, []byte(showProcess), 0o755))
	agent := runc.StartAgent(t)
	// The container is annotated, since the shim does most for such a container.
	c := behindShim(t, agent, runc.Runtime{}, "5000", busybox, "true")
	keep, tries := t.TempDir(), 10
	inherited, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer inherited.Close()
	goruntime.LockOSThread() // Pdeathsig is sent when this thread ends
	defer goruntime.UnlockOSThread()
	require.NoError(t, unix.Prctl(unix.PR_SET_TIMERSLACK, 77777, 0, 0, 0))
	run := func(path string) string {
		command := exec.Command(path,
			"create", "--preserve-fds=1", "--console-socket", "", "an id with\nlines")
		command.Dir = filepath.Dir(c.ConfigFile())
		command.Env = []string{
			"PORT_RESTRICTER_RUNTIME=" + runtime, "PORT_RESTRICTER_LISTENER=" + agent.Socket,
			"XDG_RUNTIME_DIR=" + keep, "PWD=" + command.Dir,
		}
		command.ExtraFiles = []*os.File{inherited}
		// Like containerd: the kernel kills the runtime when the engine ends.
		command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		result := runc.Finish(t, command)
		require.Zero(t, result.Code, result.Stderr)
		return result.Stdout
	}
	direct := run(runtime)
	require.Contains(t, direct, "killed by 9")
	require.Contains(t, direct, "77777")
	// Several tries: it is a matter of luck on which of Go's threads the shim would run
	// execve, and only one of them has the state that must be preserved.
	for link := runc.Shim(t); tries > 0; tries-- {
		require.Equal(t, direct, run(link))
	}
	require.Contains(t, configOf(t, c), agent.Socket)
}
