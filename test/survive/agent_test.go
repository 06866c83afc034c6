package survive

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const units = "../../deploy/systemd"

var agentUnits = []string{"port-restricter.service", "port-restricter.socket"}

// An agent is the unit port-restricter.service.
type agent struct{ t *testing.T }

// startAgent installs the units as README.md says, with the given further settings for the
// service, and starts them. They are gone after the test.
func startAgent(t *testing.T, settings ...string) agent {
	t.Helper()
	a := agent{t}
	waitForSystemd(t)
	users := "/etc/port-restricter-sysusers.conf"
	copyFile(t, filepath.Join(units, "port-restricter.sysusers"), users)
	run(t, "systemd-sysusers", users)
	for _, unit := range agentUnits {
		copyFile(t, filepath.Join(units, unit), "/etc/systemd/system/"+unit)
	}
	require.NoError(t, os.RemoveAll("/var/log/agent"))
	a.set(settings...)
	t.Cleanup(func() {
		_ = exec.Command("systemctl", append([]string{"stop"}, agentUnits...)...).Run()
		if t.Failed() {
			status, _ := exec.Command("systemctl", "status", agentUnits[0]).CombinedOutput()
			t.Logf("%s", status)
			log := a.log()
			t.Logf("the end of the agent's log:\n%s", log[max(0, len(log)-2048):])
		}
	})
	run(t, append([]string{"systemctl", "start"}, agentUnits...)...)
	return a
}

// set gives the service these settings in place of the earlier ones.
func (a agent) set(settings ...string) {
	a.t.Helper()
	drop := "/etc/systemd/system/port-restricter.service.d"
	require.NoError(a.t, os.MkdirAll(drop, 0o755))
	text := "[Service]\nStandardError=append:/var/log/agent\n" + strings.Join(settings, "\n") + "\n"
	require.NoError(a.t, os.WriteFile(filepath.Join(drop, "test.conf"), []byte(text), 0o644))
	run(a.t, "systemctl", "daemon-reload")
}

func waitForSystemd(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		return exec.Command("systemctl", "is-active", "test.target").Run() == nil
	}, patience, 20*time.Millisecond)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o644))
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, "%s: %s", strings.Join(args, " "), out)
	return string(out)
}

// property returns a property of the service.
func (a agent) property(name string) string {
	a.t.Helper()
	out := run(a.t, "systemctl", "show", "--property="+name, "--value", "port-restricter.service")
	return strings.TrimSpace(out)
}

// pid returns the pid of the agent, which may be starting, or 0.
func (a agent) pid() int {
	a.t.Helper()
	pid, err := strconv.Atoi(a.property("MainPID"))
	require.NoError(a.t, err)
	return pid
}

// awaitNew waits until another agent than the one before serves.
func (a agent) awaitNew(before int) {
	a.t.Helper()
	require.Eventually(a.t, func() bool {
		pid := a.pid()
		return pid != 0 && pid != before && a.property("ActiveState") == "active"
	}, patience, time.Millisecond, "no new agent")
}

// kill kills the agent with SIGKILL, and waits for the next one.
func (a agent) kill() {
	a.t.Helper()
	pid := a.pid()
	require.NotZero(a.t, pid)
	run(a.t, "kill", "-KILL", fmt.Sprint(pid))
	a.awaitNew(pid)
}

func (a agent) log() string {
	text, _ := os.ReadFile("/var/log/agent") // not there before the first line
	return string(text)
}
