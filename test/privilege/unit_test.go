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

func TestTheUnitIsOneThatSystemdUnderstands(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("../../deploy/systemd/port-restricter.service")
	require.NoError(t, err)
	require.Contains(t, string(text), "\nExecStart=/usr/bin/port-restricter agent\n")
	unit := filepath.Join(dir, "port-restricter.service")
	// Where the program will be, nothing is yet.
	text = []byte(strings.Replace(string(text), "/usr/bin/port-restricter", runc.Binary(t), 1))
	require.NoError(t, os.WriteFile(unit, text, 0o644))
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

// What it says of the unit, 0 to 10, goes up with every setting that is lost.
func TestTheUnitExposesLittle(t *testing.T) {
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=45", "../../deploy/systemd/port-restricter.service").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestTheUnitHasTheCapabilitiesThatTheAgentKeeps(t *testing.T) {
	var kept []string
	for _, value := range confine.Capabilities() {
		kept = append(kept, strings.TrimPrefix(value.String(), "cap_"))
	}
	require.ElementsMatch(t, kept, runc.Capabilities(t))
}

func TestTheUserOfTheUnitIsMade(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	config, err := filepath.Abs("../../deploy/systemd/port-restricter.sysusers")
	require.NoError(t, err)
	out, err := exec.Command("systemd-sysusers", "--root="+root, config).CombinedOutput()
	require.NoError(t, err, "%s", out)
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`(?m)^port-restricter:[^:]*:\d+:\d+:port-restricter agent:/:/\S*nologin$`), string(passwd))
	group, err := os.ReadFile(filepath.Join(root, "etc/group"))
	require.NoError(t, err)
	require.Contains(t, string(group), "port-restricter:")
}
