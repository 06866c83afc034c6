package privilege

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent/confine"
	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/test/runc"
)

// TestTheUnitsAreOnesThatSystemdUnderstands shows that systemd accepts the units without a
// warning, and that they are about the same socket.
func TestTheUnitsAreOnesThatSystemdUnderstands(t *testing.T) {
	for manager, units := range map[string]struct{ dir, exec, socket string }{
		"--system": {
			"", "/usr/bin/port-restricter-admin agent", settings.DefaultListener,
		},
		"--user": {
			"user", "/usr/bin/port-restricter-admin agent --socket %t/port-restricter/agent.sock",
			"%t/port-restricter/agent.sock",
		},
	} {
		t.Run(manager, func(t *testing.T) {
			dir, command := directory(t), []string{"verify", manager, "--man=no"}
			for name, line := range map[string]string{
				"port-restricter.service": "\nExecStart=" + units.exec + "\n",
				"port-restricter.socket":  "\nListenStream=" + units.socket + "\n",
				"port-restricter-control.socket": "\nListenStream=" +
					control.Path(units.socket) + "\n",
			} {
				text, err := os.ReadFile(filepath.Join("../../deploy/systemd", units.dir, name))
				require.NoError(t, err)
				require.Contains(t, string(text), line)
				// systemd-analyze requires that the program exists, and it is not installed yet.
				unit := strings.Replace(string(text), "/usr/bin/port-restricter", runc.Binary(t), 1)
				path := filepath.Join(dir, name)
				require.NoError(t, os.WriteFile(path, []byte(unit), 0o644))
				command = append(command, path)
			}
			verify := exec.Command("systemd-analyze", command...)
			verify.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
			out, err := verify.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Empty(t, string(out))
		})
	}
}

// TestTheUnitsExposeLittle shows that the exposure levels of the units are at most 4.5 and 7.7
// of 10. A level rises with every restriction that the unit loses. A systemd without privileges
// has fewer to give.
func TestTheUnitsExposeLittle(t *testing.T) {
	for _, unit := range [][]string{
		{"--threshold=45", "../../deploy/systemd/port-restricter.service"},
		{"--threshold=77", "../../deploy/systemd/user/port-restricter.service"},
	} {
		out, err := exec.Command("systemd-analyze",
			append([]string{"security", "--offline=true"}, unit...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// TestTheUnitHasTheCapabilitiesThatTheAgentKeeps shows that the unit and package confine
// list the same capabilities.
func TestTheUnitHasTheCapabilitiesThatTheAgentKeeps(t *testing.T) {
	var kept []string
	for _, value := range confine.Capabilities() {
		kept = append(kept, strings.TrimPrefix(value.String(), "cap_"))
	}
	require.ElementsMatch(t, kept, runc.Capabilities(t))
}

// TestTheUserOfTheUnitIsMade shows that systemd-sysusers creates the user and the group
// of the unit.
func TestTheUserOfTheUnitIsMade(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	config, err := filepath.Abs("../../deploy/systemd/port-restricter.sysusers")
	require.NoError(t, err)
	out, err := exec.Command("systemd-sysusers", "--root="+root, config).CombinedOutput()
	require.NoError(t, err, "%s", out)
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	require.NoError(t, err)
	user := regexp.MustCompile(
		`(?m)^port-restricter:[^:]*:\d+:\d+:port-restricter agent:/:/\S*nologin$`)
	require.Regexp(t, user, string(passwd))
	group, err := os.ReadFile(filepath.Join(root, "etc/group"))
	require.NoError(t, err)
	require.Contains(t, string(group), "port-restricter:")
}
