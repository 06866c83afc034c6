package survive

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireChecked runs `port-restricter check`, and requires what it says of a restart and of the
// whole way to the agent and back.
func (a agent) requireChecked(status, said string, command ...string) {
	a.t.Helper()
	out, _ := exec.Command(command[0], command[1:]...).Output() // its status is about more
	var found struct {
		Results []struct{ Name, Status, Text, Mend string }
	}
	require.NoError(a.t, json.Unmarshal(out, &found), string(out))
	seen := map[string]string{}
	for _, f := range found.Results {
		seen[f.Name] = f.Status
		if f.Name == "restart" {
			require.Equal(a.t, status, f.Status, "%v", f)
			require.Contains(a.t, f.Text+"; "+f.Mend, said)
		}
	}
	require.Contains(a.t, seen, "restart")
	require.Equal(a.t, "ok", seen["agent"], string(out))
	require.Equal(a.t, "ok", seen["whole way"], string(out))
}

// TestCheckSaysWhetherContainersSurviveARestart shows the units as they are, and each setting
// without which containers don't survive.
func TestCheckSaysWhetherContainersSurviveARestart(t *testing.T) {
	a := startAgent(t)
	check := []string{"port-restricter", "check", "--json"}
	a.ctl("enable", agentUnits[1])
	a.requireChecked("ok", "survive a restart of port-restricter.service", check...)
	a.ctl("disable", agentUnits[1])
	a.requireChecked("warn", "systemctl enable port-restricter.socket", check...)
	a.ctl("enable", agentUnits[1])
	for _, c := range []struct{ setting, said string }{
		{"FileDescriptorStoreMax=0", "port-restricter.service keeps no fd for it"},
		{"Environment=", "does not tell it that it keeps fds; set Environment=FDSTORE=8192"},
		{"Restart=on-failure", "has Restart=on-failure; set Restart=always: systemctl edit"},
		{"FileDescriptorStoreMax=1", "keeps 1 fds and no more"},
	} {
		a.set(c.setting)
		a.ctl("restart", agentUnits[0])
		a.requireChecked("warn", c.said, check...)
	}
	// Without the socket unit the agent makes its socket, which its user needs a directory for.
	a.set("RuntimeDirectory=port-restricter", "RuntimeDirectoryPreserve=yes")
	run(t, "sed", "-i", "/port-restricter.socket/d", a.units+"/"+agentUnits[0])
	a.ctl("daemon-reload")
	a.ctl(append([]string{"stop"}, agentUnits...)...)
	a.ctl("start", agentUnits[0])
	a.requireChecked("warn", "the socket is the agent's own", check...)
}

// TestCheckAsksTheSystemdOfTheUser shows the same for the agent of an ordinary user.
func TestCheckAsksTheSystemdOfTheUser(t *testing.T) {
	a := startUserAgent(t)
	check := asOrdinary("port-restricter", "check", "--json")
	a.requireChecked("ok", "survive a restart of port-restricter.service", check...)
	a.ctl("disable", agentUnits[1])
	a.requireChecked("warn", "systemctl --user enable port-restricter.socket", check...)
}
