package runc

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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

// StartAgent starts it as our systemd unit would, and returns once runtimes can
// connect. The agent ends with the test.
func StartAgent(t testing.TB) *Agent {
	t.Helper()
	return startAgent(t, asUnit(Capabilities(t)), "--verbose")
}

// StartQuietAgent logs refusals only.
func StartQuietAgent(t testing.TB) *Agent {
	t.Helper()
	return startAgent(t, asUnit(Capabilities(t)))
}

// StartAgentAsRoot starts it with all that root has.
func StartAgentAsRoot(t testing.TB) *Agent {
	t.Helper()
	return startAgent(t, nil, "--verbose")
}

// StartAgentWith starts it as the unit would, but with these capabilities.
func StartAgentWith(t testing.TB, capabilities []string) *Agent {
	t.Helper()
	return startAgent(t, asUnit(capabilities), "--verbose")
}

func startAgent(t testing.TB, as []string, flags ...string) *Agent {
	t.Helper()
	dir, done := directoryOfAgent(t), make(chan struct{})
	a := &Agent{Socket: filepath.Join(dir, "agent.sock"), Done: done, binary: Binary(t), log: filepath.Join(dir, "log")}
	log, err := os.Create(a.log)
	require.NoError(t, err)
	defer log.Close()
	argv := slices.Concat(as, []string{copyOf(t, a.binary, dir), "agent", "--socket", a.Socket}, flags)
	a.process = exec.Command(argv[0], argv[1:]...)
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

// directoryOfAgent is one that its user can reach and write to; t.TempDir is closed to
// other users.
func directoryOfAgent(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	user, err := strconv.Atoi(agentUser)
	require.NoError(t, err)
	require.NoError(t, os.Chown(dir, user, user))
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

func copyOf(t testing.TB, program, dir string) string {
	t.Helper()
	text, err := os.ReadFile(program)
	require.NoError(t, err)
	path := filepath.Join(dir, filepath.Base(program))
	require.NoError(t, os.WriteFile(path, text, 0o755))
	return path
}

// Pid is the agent's process.
func (a *Agent) Pid() int { return a.process.Process.Pid }

// Await waits until the agent's log has the text.
func (a *Agent) Await(t testing.TB, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(a.Log(t), text) }, patience, 10*time.Millisecond, "not in the agent's log: %s", text)
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
// containers of this agent, with these options besides.
func (a *Agent) Profile(t testing.TB, options ...string) *specs.LinuxSeccomp {
	t.Helper()
	out, err := exec.Command(a.binary, append([]string{"profile", "--listener", a.Socket}, options...)...).Output()
	require.NoError(t, err)
	var seccomp specs.LinuxSeccomp
	require.NoError(t, json.Unmarshal(out, &seccomp))
	return &seccomp
}
