package probes

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestTheCommandLineStartsBesideAProcessThatHangsInExec shows that the command line
// starts while a process of another user hangs in execve(2). Any user can have such a
// process, and a program that reads about it in /proc hangs as well. The command line
// must not, or one user could stop all others from using it.
func TestTheCommandLineStartsBesideAProcessThatHangsInExec(t *testing.T) {
	all := readProbes(t)
	program := filepath.Join(t.TempDir(), "stuck_exec")
	stuck := slices.IndexFunc(all, func(p probe) bool { return p.name == "stuck_exec" })
	all[stuck].compile(t, program)
	hanging := exec.Command(program, "hang")
	hanging.Dir = t.TempDir()
	ready, err := hanging.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, hanging.Start())
	defer func() {
		require.NoError(t, hanging.Process.Kill())
		_ = hanging.Wait()
	}()
	_, err = ready.Read(make([]byte, 1)) // the probe writes once the process hangs
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	commandLine := exec.CommandContext(ctx, runc.Binary(t), "-p", "5000", "--", "true")
	require.NoError(t, commandLine.Run(), "the command line did not run within 5 seconds")
}
