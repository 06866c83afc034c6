package survive

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const units = "../../deploy/systemd"

var agentUnits = []string{
	"port-restricter.service", "port-restricter.socket", "port-restricter-control.socket",
}

// An agent is the unit port-restricter.service of a systemd.
type agent struct {
	t         testing.TB
	systemctl []string // the command that steers the systemd
	units     string   // the directory of its units
	logFile   string
}

// startAgent installs the units as README.md says, with the given further settings for the
// service, and starts them. They are gone after the test.
func startAgent(t testing.TB, settings ...string) agent {
	t.Helper()
	a := agent{t, []string{"systemctl"}, "/etc/systemd/system", "/var/log/agent"}
	waitForSystemd(t)
	text, err := os.ReadFile(filepath.Join(units, "port-restricter.sysusers"))
	require.NoError(t, err)
	makeUser(t, string(text))
	a.install(units, settings...)
	a.ctl(append([]string{"start"}, agentUnits...)...)
	return a
}

// makeUser makes the user that a text of sysusers.d(5) describes.
func makeUser(t testing.TB, text string) {
	t.Helper()
	path := "/etc/port-restricter-sysusers.conf"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	run(t, "systemd-sysusers", path)
}

// install installs the units in a directory, with further settings for the service, and stops
// them after the test.
func (a agent) install(from string, settings ...string) {
	a.t.Helper()
	for _, unit := range agentUnits {
		copyFile(a.t, filepath.Join(from, unit), filepath.Join(a.units, unit))
	}
	require.NoError(a.t, os.RemoveAll(a.logFile))
	a.set(settings...)
	a.t.Cleanup(func() {
		stop := slices.Concat(a.systemctl, []string{"stop"}, agentUnits)
		_ = exec.Command(stop[0], stop[1:]...).Run()
		if a.t.Failed() {
			log := a.log()
			a.t.Logf("the end of the agent's log:\n%s", log[max(0, len(log)-2048):])
		}
	})
}

// ctl runs systemctl, and returns what it prints.
func (a agent) ctl(args ...string) string {
	a.t.Helper()
	return run(a.t, slices.Concat(a.systemctl, args)...)
}

// set gives the service these settings in place of the earlier ones.
func (a agent) set(settings ...string) {
	a.t.Helper()
	drop := filepath.Join(a.units, "port-restricter.service.d")
	require.NoError(a.t, os.MkdirAll(drop, 0o755))
	lines := append([]string{"[Service]", "StandardError=append:" + a.logFile}, settings...)
	text := strings.Join(lines, "\n") + "\n"
	require.NoError(a.t, os.WriteFile(filepath.Join(drop, "test.conf"), []byte(text), 0o644))
	a.ctl("daemon-reload")
}

func waitForSystemd(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool {
		return exec.Command("systemctl", "is-active", "test.target").Run() == nil
	}, patience, 20*time.Millisecond)
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o644))
}

func run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, "%s: %s", strings.Join(args, " "), out)
	return string(out)
}

// property returns a property of the service.
func (a agent) property(name string) string {
	a.t.Helper()
	return strings.TrimSpace(a.ctl("show", "--property="+name, "--value", agentUnits[0]))
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
	text, _ := os.ReadFile(a.logFile) // not there before the first line
	return string(text)
}
