package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestADaemonIsReadyOnceItsPIDFileIsThereAndItsStatusCounts(t *testing.T) {
	dir := t.TempDir()
	address, file := filepath.Join(dir, "notify"), filepath.Join(dir, "pid")
	// As from an earlier run: this process is no descendant of the supervisor.
	require.NoError(t, os.WriteFile(file, fmt.Appendln(nil, os.Getpid()), 0o644))
	m := newManager(t, address)
	cmd := supervised("forks:"+file, "sh", "-c", `
		echo "socket: $NOTIFY_SOCKET"
		exec 3<&0 # a shell gives its background jobs no input
		(
			read next <&3
			sleep 1000 >/dev/null &
			echo left $!
			sh -c 'echo $PPID' >"$0"
			read next <&3
			exit 5
		) &
		exit 0`, file)
	cmd.Path = self(t)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address)
	s := startSession(t, cmd)
	require.Empty(t, s.until("socket: \n"))
	m.none()
	s.write("\n")
	left := s.left()
	text, _, sender := m.next()
	require.Equal(t, "READY=1", text)
	require.Equal(t, cmd.Process.Pid, sender)
	s.write("\n")
	_, status := s.rest()
	require.Equal(t, 5, status)
	require.NoError(t, unix.Kill(left, unix.SIGKILL))
}

func TestADaemonWithoutAPIDFileIsReadyOnceTheCommandHasEnded(t *testing.T) {
	address := filepath.Join(t.TempDir(), "notify")
	m := newManager(t, address)
	cmd := supervised("forks:", "sh", "-c", "exec 3<&0; read next; (read next <&3; exit 5) &")
	cmd.Path = self(t)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address)
	s := startSession(t, cmd)
	m.none()
	s.write("\n")
	text, _, _ := m.next()
	require.Equal(t, "READY=1", text)
	s.write("\n")
	_, status := s.rest()
	require.Zero(t, status)
}

func TestADaemonWhoseStartFailedIsNotAwaited(t *testing.T) {
	cmd := supervised("forks:", "sh", "-c", "sleep 1000 >/dev/null & echo left $!; exit 3")
	s := startSession(t, cmd)
	left := s.left()
	_, status := s.rest()
	require.Equal(t, 3, status)
	require.NoError(t, unix.Kill(left, unix.SIGKILL))
}

// A PID file that never comes, as by a typing error, changes whose status counts, so it is said. It
// is not said of a command that failed: the error is the command's.
func TestAPIDFileThatNamesNoDaemonIsSaid(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign")
	require.NoError(t, os.WriteFile(foreign, fmt.Appendln(nil, os.Getpid()), 0o644))
	for _, c := range []struct{ file, script, says string }{
		{dir + "/none", "exit 0", dir + "/none: it named no process that the command left"},
		{foreign, "exit 0", "it named no process that the command left"},
		{dir + "/none", "exit 3", ""},
		{"", "exit 0", ""},
	} {
		cmd := supervised("forks:"+c.file, "sh", "-c", c.script)
		var said strings.Builder
		cmd.Stderr = &said
		_ = cmd.Run()
		if c.says == "" {
			require.Empty(t, said.String(), c)
			continue
		}
		require.Zero(t, cmd.ProcessState.ExitCode(), c)
		require.Equal(t, 1, strings.Count(said.String(), c.says), said.String())
	}
}
