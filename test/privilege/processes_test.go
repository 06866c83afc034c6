package privilege

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestASupervisorOutlivesALackOfProcesses shows that a supervisor which can create
// neither a thread nor a helper waits or refuses, and serves again afterwards. Go's
// runtime would end it, and every later bind would fail with ENOSYS.
func TestASupervisorOutlivesALackOfProcesses(t *testing.T) {
	dir := directory(t)
	require.NoError(t, os.Chmod(dir, 0o777)) // the sockets are made there
	commandLine := runc.Install(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "prlimit", "--nproc=150", "--",
		commandLine, "-p", "5000", "--", compile(t, dir, "processes"))
	command.Dir = dir
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET,
		Setpgid:    true,
		// A user with no other process, since the limit is the user's.
		Credential: &syscall.Credential{Uid: 54322, Gid: 54322},
	}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(t, err, "%s%s", out, &stderr)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, 3, "%q", lines)
	require.Equal(t, "after some processes: EAGAIN", lines[0])
	// A bind that needs a helper is refused, and the log has the reason.
	require.Contains(t, []string{"meanwhile: works", "meanwhile: works EPERM"}, lines[1])
	require.Equal(t, "afterwards: works", lines[2])
	require.Contains(t, stderr.String(), "can't create a thread, and waits until it can")
}
