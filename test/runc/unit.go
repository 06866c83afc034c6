package runc

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unitFile is the systemd unit that starts the agent.
const unitFile = "../../deploy/systemd/port-restricter.service"

// agentUser is the agent's uid and gid. No other process on the machine has them.
const agentUser = "54320"

// Capabilities returns the capabilities that the unit gives the agent, by the names that
// setpriv(1) uses: net_bind_service, for example.
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
	names := strings.ReplaceAll(settings["AmbientCapabilities"], "CAP_", "")
	return strings.Fields(strings.ToLower(names))
}

// asUnit returns the words to put before a command to run it as the unit would: as the agent's
// user, in a mount namespace of its own, with the given capabilities and no others.
func asUnit(capabilities []string) []string {
	sets := "-all"
	for _, capability := range capabilities {
		sets += ",+" + capability
	}
	return []string{"unshare", "--mount", "--propagation", "slave", "--",
		"setpriv", "--reuid", agentUser, "--regid", agentUser, "--clear-groups", "--no-new-privs",
		"--bounding-set", sets, "--inh-caps", sets, "--ambient-caps", sets, "--"}
}
