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
	"github.com/port-restricter/port-restricter/test/runc"
)

// TestTheUnitIsOneThatSystemdUnderstands shows that systemd accepts the unit without a
// warning.
func TestTheUnitIsOneThatSystemdUnderstands(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("../../deploy/systemd/port-restricter.service")
	require.NoError(t, err)
	require.Contains(t, string(text), "\nExecStart=/usr/bin/port-restricter agent\n")
	unit := filepath.Join(dir, "port-restricter.service")
	// systemd-analyze requires that the program exists, and it is not installed yet.
	text = []byte(strings.Replace(string(text), "/usr/bin/port-restricter", runc.Binary(t), 1))
	require.NoError(t, os.WriteFile(unit, text, 0o644))
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

// TestTheUnitExposesLittle shows that the exposure level of the unit is at most 4.5 of
// 10. The level rises with every restriction that the unit loses.
func TestTheUnitExposesLittle(t *testing.T) {
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=45",
		"../../deploy/systemd/port-restricter.service").CombinedOutput()
	require.NoError(t, err, "%s", out)
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
