package privilege

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestNothingIsBoundWithoutASupervisor shows that a command gains nothing by ending its
// supervisor, which has the same user: from then on every bind fails with ENOSYS.
func TestNothingIsBoundWithoutASupervisor(t *testing.T) {
	for name, uid := range map[string]uint32{"root": 0, "user": 54321} {
		t.Run(name, func(t *testing.T) {
			dir := directory(t)
			output, err := os.Create(filepath.Join(dir, "output"))
			require.NoError(t, err)
			defer output.Close()
			command := exec.Command(runc.Install(t, dir), "-p", "5000", "--",
				compile(t, dir, "supervisor"))
			command.Stdout, command.Stderr = output, output
			command.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags: syscall.CLONE_NEWNET,
				Setpgid:    true,
				Credential: &syscall.Credential{Uid: uid, Gid: uid},
			}
			require.NoError(t, command.Start())
			t.Cleanup(func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) })
			require.Error(t, command.Wait(), "the command did not kill its supervisor")
			require.Eventually(t, func() bool {
				text, err := os.ReadFile(output.Name())
				const last = "killed: 5000 ENOSYS, 5001 ENOSYS\n"
				return err == nil && strings.Contains(string(text), last)
			}, time.Minute, 100*time.Millisecond)
			text, err := os.ReadFile(output.Name())
			require.NoError(t, err)
			require.Equal(t, []string{
				"served: 5000 works, 5001 EPERM",
				"stopped: 5000 waits, 5001 waits",
				"continued: 5000 works, 5001 EPERM",
				"killed: 5000 ENOSYS, 5001 ENOSYS",
			}, strings.Split(strings.TrimSpace(string(text)), "\n"))
		})
	}
}
