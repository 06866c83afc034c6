package runc

import (
	"context"
	"encoding/json"
	"net"
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

	"github.com/port-restricter/port-restricter/agent/control"
)

// Binary returns the absolute path of the port-restricter to test: PORT_RESTRICTER_BIN, or
// the one that `make build` makes.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("PORT_RESTRICTER_BIN")
	if path == "" {
		path = "../../bin/port-restricter"
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	require.FileExists(t, path, "run `make build`, or set PORT_RESTRICTER_BIN to the binary's path")
	return path
}

// Admin returns the absolute path of the program that the port-restricter to test becomes.
func Admin(t testing.TB) string {
	t.Helper()
	path := Binary(t) + "-admin"
	require.FileExists(t, path, "run `make build`")
	return path
}

// Install copies the port-restricter to test, and what it becomes, into a directory, and returns
// the path of the copy. Other users may be unable to reach the original.
func Install(t testing.TB, dir string) string {
	t.Helper()
	for _, program := range []string{Admin(t), Binary(t)} {
		text, err := os.ReadFile(program)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(program)), text, 0o755))
	}
	return filepath.Join(dir, filepath.Base(Binary(t)))
}

// An Agent is a running `port-restricter agent`.
type Agent struct {
	Socket string
	Done   <-chan struct{} // closed once the agent has ended

	binary, log string
	process     *exec.Cmd
}

// StartAgent starts an agent with the privileges of the systemd unit, and returns once OCI
// runtimes can connect. The agent logs every decision, and ends with the test.
func StartAgent(t testing.TB) *Agent {
	t.Helper()
	return startAgent(t, asUnit(Capabilities(t)), "--verbose")
}

// StartQuietAgent starts an agent like StartAgent. The agent does not log the decisions
// that allow a call.
func StartQuietAgent(t testing.TB) *Agent {
	t.Helper()
	return startAgent(t, asUnit(Capabilities(t)))
}

// StartAgentAsRoot starts an agent like StartAgent, with all privileges of root.
func StartAgentAsRoot(t testing.TB) *Agent {
	t.Helper()
	return startAgent(t, nil, "--verbose")
}

// StartAgentWith starts an agent like StartAgent, with the given capabilities in place of
// the unit's.
func StartAgentWith(t testing.TB, capabilities []string) *Agent {
	t.Helper()
	return startAgent(t, asUnit(capabilities), "--verbose")
}

// StartAgentOn starts an agent like StartAgent, which gets a socket under a name as from systemd.
func StartAgentOn(t testing.TB, name string, socket *os.File) *Agent {
	t.Helper()
	const script = `export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES="$0"; exec "$@"`
	prefix := append([]string{"sh", "-c", script, name}, asUnit(Capabilities(t))...)
	return startAgentWith(t, prefix, []*os.File{socket}, "--verbose")
}

// startAgent starts an agent by the command in prefix.
func startAgent(t testing.TB, prefix []string, flags ...string) *Agent {
	t.Helper()
	return startAgentWith(t, prefix, nil, flags...)
}

func startAgentWith(t testing.TB, prefix []string, files []*os.File, flags ...string) *Agent {
	t.Helper()
	dir, done := directoryOfAgent(t), make(chan struct{})
	a := &Agent{
		Socket: filepath.Join(dir, "agent.sock"),
		Done:   done,
		binary: Binary(t),
		log:    filepath.Join(dir, "log"),
	}
	log, err := os.Create(a.log)
	require.NoError(t, err)
	defer log.Close()
	agent := []string{Install(t, dir), "agent", "--socket", a.Socket}
	argv := slices.Concat(prefix, agent, flags)
	a.process = exec.Command(argv[0], argv[1:]...)
	a.process.Stderr, a.process.ExtraFiles = log, files
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
	require.Eventually(t, func() bool {
		if len(files) > 0 {
			_, err := os.Stat(a.Socket)
			return err == nil
		}
		// The agent makes it after its own. It is there before anybody listens.
		conn, err := net.Dial("unix", a.ControlSocket())
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond, "the agent made no socket")
	return a
}

// directoryOfAgent returns a temporary directory that the agent's user owns and can enter.
// Other users cannot enter t.TempDir.
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

// Pid returns the agent's process id.
func (a *Agent) Pid() int { return a.process.Process.Pid }

// Await waits until the agent's log contains a text.
func (a *Agent) Await(t testing.TB, text string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return strings.Contains(a.Log(t), text)
	}, patience, 10*time.Millisecond, "the agent's log does not contain %s", text)
}

// Reload makes the agent read its settings again, and waits until its log says so.
func (a *Agent) Reload(t testing.TB, says string) {
	t.Helper()
	before := len(a.Log(t))
	require.NoError(t, a.process.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool {
		return strings.Contains(a.Log(t)[before:], says)
	}, patience, 10*time.Millisecond, "the agent's log does not contain %s", says)
}

// Stop asks the agent to end, like an init system, and waits for its end.
func (a *Agent) Stop(t testing.TB) {
	t.Helper()
	require.NoError(t, a.process.Process.Signal(syscall.SIGTERM))
	<-a.Done
}

// Log returns what the agent has logged so far: one JSON object per line.
func (a *Agent) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(a.log)
	require.NoError(t, err)
	return string(text)
}

// LogsOf returns the lines of the agent's log about one container.
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

// ControlSocket returns the path of the agent's control socket.
func (a *Agent) ControlSocket() string {
	return filepath.Join(filepath.Dir(a.Socket), "control.sock")
}

// Ask returns a command of port-restricter that asks the agent, such as events. The caller starts
// it.
func (a *Agent) Ask(t testing.TB, command string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, a.binary,
		append([]string{command, "--socket", a.ControlSocket()}, args...)...)
}

// Profile returns the seccomp profile that `port-restricter profile` prints for containers
// of this agent, with the given further options.
func (a *Agent) Profile(t testing.TB, options ...string) *specs.LinuxSeccomp {
	t.Helper()
	args := append([]string{"profile", "--listener", a.Socket}, options...)
	out, err := exec.Command(a.binary, args...).Output()
	require.NoError(t, err)
	var seccomp specs.LinuxSeccomp
	require.NoError(t, json.Unmarshal(out, &seccomp))
	return &seccomp
}

// Readers returns how many programs read the agent's events.
func (a *Agent) Readers(t testing.TB) int {
	t.Helper()
	about, err := control.NewClient(a.ControlSocket()).Agent(context.Background())
	require.NoError(t, err)
	return about.Readers
}
