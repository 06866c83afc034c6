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

// Any user can have a process that hangs in execve(2), and with it whoever reads
// about it in /proc: the command line must not.
func TestTheCommandLineStartsBesideAProcessThatHangsInExec(t *testing.T) {
	all := readProbes(t)
	program := filepath.Join(t.TempDir(), "stuck_exec")
	all[slices.IndexFunc(all, func(p probe) bool { return p.name == "stuck_exec" })].compile(t, program)
	hanging := exec.Command(program, "hang")
	hanging.Dir = t.TempDir()
	said, err := hanging.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, hanging.Start())
	defer func() {
		require.NoError(t, hanging.Process.Kill())
		_ = hanging.Wait()
	}()
	_, err = said.Read(make([]byte, 1))
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, exec.CommandContext(ctx, runc.Binary(t), "-p", "5000", "--", "true").Run())
}
