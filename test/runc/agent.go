package runc

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// Binary is what is tested: PORT_RESTRICTER_BIN, or what `make build` makes.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("PORT_RESTRICTER_BIN")
	if path == "" {
		path = "../../bin/port-restricter"
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	require.FileExists(t, path, "run `make build`, or name the binary in PORT_RESTRICTER_BIN")
	return path
}

// An Agent is a running `port-restricter agent`.
type Agent struct {
	Socket string
	Done   <-chan struct{} // closed when it has ended

	binary, log string
	process     *exec.Cmd
}

// StartAgent returns once runtimes can connect. The agent ends with the test.
func StartAgent(t testing.TB) *Agent {
	t.Helper()
	dir, done := t.TempDir(), make(chan struct{})
	a := &Agent{Socket: filepath.Join(dir, "agent.sock"), Done: done, binary: Binary(t), log: filepath.Join(dir, "log")}
	log, err := os.Create(a.log)
	require.NoError(t, err)
	defer log.Close()
	a.process = exec.Command(a.binary, "agent", "--verbose", "--socket", a.Socket)
	a.process.Stderr = log
	require.NoError(t, a.process.Start())
	go func() { _ = a.process.Wait(); close(done) }()
	t.Cleanup(func() {
		_ = a.process.Process.Kill()
		<-done
		if t.Failed() {
			log := a.Log(t)
			t.Logf("the end of the agent's log:\n%s", log[max(0, len(log)-8192):])
		}
	})
	require.Eventually(t, func() bool { _, err := os.Stat(a.Socket); return err == nil }, patience, 10*time.Millisecond, "the agent made no socket: %s", a.log)
	return a
}

// Stop asks the agent to end, as an init system would.
func (a *Agent) Stop(t testing.TB) {
	t.Helper()
	require.NoError(t, a.process.Process.Signal(syscall.SIGTERM))
	<-a.Done
}

// Log is what the agent wrote so far, a JSON object a line.
func (a *Agent) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(a.log)
	require.NoError(t, err)
	return string(text)
}

// LogsOf is the part of the log about one container.
func (a *Agent) LogsOf(t testing.TB, c *Container) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(a.Log(t)) {
		if strings.Contains(line, c.id+`"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// Profile is the seccomp section that `port-restricter profile` prints for
// containers of this agent.
func (a *Agent) Profile(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	out, err := exec.Command(a.binary, "profile", "--listener", a.Socket).Output()
	require.NoError(t, err)
	var seccomp specs.LinuxSeccomp
	require.NoError(t, json.Unmarshal(out, &seccomp))
	return &seccomp
}
