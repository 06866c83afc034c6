package survive

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The runtime directory of an ordinary user, who has a systemd of his own.
const userRuntime = "/run/user/4321"

// userManager is the unit of that systemd, as user@.service without PAM and logind.
const userManager = `[Unit]
DefaultDependencies=no
[Service]
Type=notify
User=ordinary
Environment=XDG_RUNTIME_DIR=` + userRuntime + ` SYSTEMD_LOG_TARGET=console
StandardError=append:/var/log/manager
RuntimeDirectory=user/4321
RuntimeDirectoryMode=0700
Delegate=yes
KillMode=mixed
ExecStart=/lib/systemd/systemd --user
`

// asOrdinary returns a command that runs as the user.
func asOrdinary(command ...string) []string {
	return append([]string{"setpriv", "--reuid", "4321", "--regid", "4321", "--clear-groups",
		"env", "HOME=" + userRuntime, "XDG_RUNTIME_DIR=" + userRuntime}, command...)
}

// startUserAgent starts a systemd of an ordinary user, and the user's agent in it.
func startUserAgent(t *testing.T) agent {
	t.Helper()
	waitForSystemd(t)
	makeUser(t, `u ordinary 4321 "ordinary user" `+userRuntime)
	manager := "/run/systemd/system/manager.service"
	require.NoError(t, os.WriteFile(manager, []byte(userManager), 0o644))
	run(t, "systemctl", "daemon-reload")
	t.Cleanup(func() {
		if t.Failed() {
			status, _ := exec.Command("systemctl", "status", "manager.service").CombinedOutput()
			log, _ := os.ReadFile("/var/log/manager")
			t.Logf("the user's systemd:\n%s\n%s", status, log)
		}
	})
	run(t, "systemctl", "start", "manager.service")
	t.Cleanup(func() { _ = exec.Command("systemctl", "stop", "manager.service").Run() })
	a := agent{t, asOrdinary("systemctl", "--user"), "/etc/systemd/user", userRuntime + "/log"}
	a.install(filepath.Join(units, "user"))
	a.ctl(slices.Concat([]string{"enable", "--now"}, agentUnits)...)
	return a
}

// TestTheContainersOfAnOrdinaryUserSurvive shows that the agent of a user, which has no
// privilege and is started by the user's own systemd, leaves its sessions to the next one too.
func TestTheContainersOfAnOrdinaryUserSurvive(t *testing.T) {
	a := startUserAgent(t)
	socket := userRuntime + "/port-restricter/agent.sock"
	plan := run(t, asOrdinary("port-restricter", "configure", "podman", "--dry-run")...)
	require.Contains(t, plan, "PORT_RESTRICTER_LISTENER='"+socket+"'")

	ask, attach := compile(t, "/usr/bin", "ask"), compile(t, "/usr/bin", "attach")
	start := func(port int) asker {
		command := asOrdinary(attach, socket, fmt.Sprint(port), ask)
		return startAskerBy(t, exec.Command(command[0], command[1:]...)).isReady()
	}
	first := start(7000)
	requireHeld := func() {
		t.Helper()
		require.Equal(t, "works", first.bind(7000))
		require.Equal(t, "EPERM", first.bind(7001))
	}
	requireHeld()
	for range 3 {
		pid := a.pid()
		run(t, "kill", "-KILL", fmt.Sprint(pid))
		requireHeld()
		a.awaitNew(pid)
		requireHeld()
		a.ctl("restart", agentUnits[0])
		requireHeld()
	}
	require.Contains(t, a.log(), "took over from the agent before")
	second := start(7100)
	require.Equal(t, "works", second.bind(7100))
	require.Equal(t, "EPERM", second.bind(7000))
}
