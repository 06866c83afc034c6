package survive

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSystemctlReloadReadsTheRulesAgain shows that the confined agent of the unit can read its
// file again, and that a wrong file leaves the service running and says so.
func TestSystemctlReloadReadsTheRulesAgain(t *testing.T) {
	const file = "/etc/port-restricter/config.toml"
	require.NoError(t, os.MkdirAll("/etc/port-restricter", 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll("/etc/port-restricter")) })
	a := startAgent(t)
	pid := a.pid()
	for text, says := range map[string]string{
		"[[rule]]\ndefault = 'none'\n": `"rules":1`,
		"[[rule]]\ndefault = 'x'\n":    file + ":2: default = ",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		a.ctl("reload", agentUnits[0])
		require.Eventually(t, func() bool {
			return strings.Contains(a.log(), says) && a.property("ActiveState") == "active"
		}, patience, 20*time.Millisecond, "%s", a.log())
	}
	require.Equal(t, pid, a.pid())
	require.Contains(t, a.ctl("show", "--property=StatusText", agentUnits[0]), "rules")
}
