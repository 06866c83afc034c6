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

// The command can end its supervisor, which has the same user, and is then
// left without a port.
func TestNothingIsBoundWithoutASupervisor(t *testing.T) {
	for name, uid := range map[string]uint32{"root": 0, "user": 54321} {
		t.Run(name, func(t *testing.T) {
			dir := directory(t)
			said, err := os.Create(filepath.Join(dir, "said"))
			require.NoError(t, err)
			defer said.Close()
			binary, err := os.ReadFile(runc.Binary(t))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "port-restricter"), binary, 0o755))
			command := exec.Command(filepath.Join(dir, "port-restricter"), "-p", "5000", "--", compile(t, dir, "supervisor"))
			command.Stdout, command.Stderr = said, said
			command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Setpgid: true, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
			require.NoError(t, command.Start())
			t.Cleanup(func() { _ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) })
			require.Error(t, command.Wait(), "it was not killed")
			require.Eventually(t, func() bool {
				text, err := os.ReadFile(said.Name())
				return err == nil && strings.Contains(string(text), "killed: 5000 ENOSYS, 5001 ENOSYS\n")
			}, time.Minute, 100*time.Millisecond)
			text, err := os.ReadFile(said.Name())
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
