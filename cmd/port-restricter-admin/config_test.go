package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config/settings"
)

// settingsIn makes a text the settings of this process, and returns the path of the file.
func settingsIn(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	t.Setenv(settings.PathVariable, path)
	return path
}

// What is printed is what is in force, and can be read as settings.
func TestConfigPrintsWhatIsInForce(t *testing.T) {
	path := settingsIn(t, `metadata = "# a note\nport-restricter.audit=allow"

[[rule]]
namespace = "team-a"
allow = "8000-8099"
audit = false

[[rule]]
default = "unrestricted"
`)
	t.Setenv("PORT_RESTRICTER_RUNTIME", "crun")
	status, output := call("config")
	require.Zero(t, status, output)
	for _, line := range []string{
		"# " + path,
		"listener = '/run/port-restricter/agent.sock'  # default",
		`metadata = "# a note\nport-restricter.audit=allow"  # ` + path + ":1",
		"runtime = 'crun' +# PORT_RESTRICTER_RUNTIME",
		"[[rule]]  # rule 1, " + path + ":3",
		"namespace = 'team-a' +# " + path + ":4",
		"audit = false +# " + path + ":6",
		"# It has no default: without annotations, its containers are unrestricted.",
		"default = 'unrestricted' +# " + path + ":9",
	} {
		pattern := "(?m)^" + strings.ReplaceAll(regexp.QuoteMeta(line), ` \+#`, " +#") + "$"
		require.Regexp(t, pattern, output)
	}
	before, err := settings.Load()
	require.NoError(t, err)
	settingsIn(t, output)
	after, err := settings.Load()
	require.NoError(t, err)
	for i, rule := range before.Rules.Texts() {
		other := after.Rules.Texts()[i]
		rule.At, other.At = nil, nil
		require.Equal(t, rule, other)
	}
	require.Equal(t, before.Metadata, after.Metadata)

	status, output = call("config", "--json")
	require.Zero(t, status)
	var shown shownConfig
	require.NoError(t, json.Unmarshal([]byte(output), &shown))
	require.Equal(t, after.Rules.Texts(), shown.Rules)
}

func TestConfigFailsForAWrongFile(t *testing.T) {
	for text, says := range map[string]string{
		"[[rule]]\nallow = 'x'":                  `:2: allow = "x": `,
		"metadata = 'port-restricter.port=x'":    `:1: metadata: port-restricter.port: "x" is`,
		"metadata = '8000-8999'":                 `"8000-8999" is no limit: write port`,
		"listener = 'agent.sock'":                `:1: listener: "agent.sock": the OCI`,
		"[[rule]]\naudit = true\n[[rule]]\n#":    ":3: rule 2 says nothing",
		"metadata = 'port-restricter.name=x\\n'": "is only for port-restricter itself",
	} {
		settingsIn(t, text)
		status, output := call("config")
		require.Equal(t, 1, status, text)
		require.Contains(t, output, says)
	}
}

// The example is right, and without its comments it has every key.
func TestTheExampleOfSettingsIsRight(t *testing.T) {
	text, err := os.ReadFile("../../deploy/config.toml")
	require.NoError(t, err)
	settingsIn(t, string(text))
	node, err := settings.Load()
	require.NoError(t, err)
	require.Equal(t, settings.Settings{Origins: map[string]string{}}, node, "nothing is set")

	settingsIn(t, regexp.MustCompile(`(?m)^#(\w+ = |\[\[)`).ReplaceAllString(string(text), "$1"))
	status, output := call("config")
	require.Zero(t, status, output)
	require.NotContains(t, output, "default\n")
	for _, key := range []string{"namespace", "pod", "container", "allow", "default", "audit"} {
		require.Contains(t, output, "\n"+key+" = ")
	}
}
