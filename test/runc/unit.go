package runc

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unitFile is how an init system starts the agent.
const unitFile = "../../deploy/systemd/port-restricter.service"

// agentUser is a uid and gid that nothing else runs as.
const agentUser = "54320"

// Capabilities are those of the unit, as setpriv(1) names them.
func Capabilities(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile(unitFile)
	require.NoError(t, err)
	settings := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			settings[key] = value
		}
	}
	require.Equal(t, settings["CapabilityBoundingSet"], settings["AmbientCapabilities"])
	require.Equal(t, "yes", settings["NoNewPrivileges"])
	require.Equal(t, "port-restricter", settings["User"])
	require.NotEmpty(t, settings["AmbientCapabilities"])
	return strings.Fields(strings.ToLower(strings.ReplaceAll(settings["AmbientCapabilities"], "CAP_", "")))
}

// asUnit is the command that starts another as the unit says: its own user, in
// a mount namespace of its own, with these capabilities and no others.
func asUnit(capabilities []string) []string {
	sets := "-all"
	for _, capability := range capabilities {
		sets += ",+" + capability
	}
	return []string{"unshare", "--mount", "--propagation", "slave", "--",
		"setpriv", "--reuid", agentUser, "--regid", agentUser, "--clear-groups", "--no-new-privs",
		"--bounding-set", sets, "--inh-caps", sets, "--ambient-caps", sets, "--"}
}
