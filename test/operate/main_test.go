// Package operate tests what an administrator sees of a running agent: that it is true of real
// containers, and that nobody who looks can harm the agent.
package operate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/test/runc"
)

const (
	busybox = "/bin/busybox"
	key     = "port-restricter.port"
)

// idle returns a running container of the agent whose first process only sleeps.
func idle(t *testing.T, agent *runc.Agent, ports string) *runc.Container {
	t.Helper()
	c := runc.New(t, runc.Config{
		Rootfs: runc.Rootfs(t), Args: []string{busybox, "sleep", "600"},
		Seccomp: agent.Profile(t), Annotations: map[string]string{key: ports},
	})
	require.NoError(t, c.Start(t))
	return c
}

// listen runs a listener in the container.
func listen(t *testing.T, c *runc.Container, port int) *exec.Cmd {
	return c.Exec(t, busybox, "nc", "-l", "-p", fmt.Sprint(port))
}

// requireRefused requires that a process in the container cannot listen on the port.
func requireRefused(t *testing.T, c *runc.Container, port int) {
	t.Helper()
	result := runc.Finish(t, listen(t, c, port))
	require.Contains(t, result.Stderr, "Operation not permitted")
}

// events starts a reader of events, and returns a function that returns the next one. The agent
// must have no other reader that begins at the same time.
func events(t *testing.T, agent *runc.Agent, flags ...string) (next func() control.Line) {
	t.Helper()
	client := control.NewClient(agent.ControlSocket())
	before, err := client.Agent(t.Context())
	require.NoError(t, err)
	reader := agent.Ask(t, "events", flags...)
	out, err := reader.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, reader.Start())
	t.Cleanup(func() { _ = reader.Process.Kill(); _ = reader.Wait() })
	require.Eventually(t, func() bool {
		now, err := client.Agent(t.Context())
		return err == nil && now.Readers > before.Readers
	}, time.Minute, 10*time.Millisecond)
	lines := bufio.NewScanner(out)
	return func() (line control.Line) {
		t.Helper()
		require.True(t, lines.Scan(), "no event came")
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		return line
	}
}

// metricNames returns the names of the agent's own metrics in a text.
func metricNames(text string) []string {
	return regexp.MustCompile(`\b(port_restricter|process|go)_[a-z_]+\b`).FindAllString(text, -1)
}
