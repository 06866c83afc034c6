package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// written returns the path of a file with the text.
func written(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestRulesAreReadWithTheirPlaces(t *testing.T) {
	path := written(t, `
listener = "/run/a.sock"

[[rule]]
namespace = "team-a" # a comment
"container" = 'web-*'
allow = """
8000-8099"""
default = "8000"
audit = false

[[rule]]
default = "unrestricted"
`)
	s, err := Read(path)
	require.NoError(t, err)
	require.Equal(t, []config.RuleText{
		{
			Namespace: new("team-a"), Container: new("web-*"), Allow: new("8000-8099"),
			Default: new("8000"), Audit: new(false),
			At: map[string]string{
				"": path + ":4", "namespace": path + ":5", "container": path + ":6",
				"allow": path + ":7", "default": path + ":9", "audit": path + ":10",
			},
		},
		{
			Default: new("unrestricted"),
			At:      map[string]string{"": path + ":12", "default": path + ":13"},
		},
	}, s.Rules.Texts())

	// The same in one line each.
	path = written(t, `rule = [
  { pod = "a", audit = true }, { default = "none" },
  { default = "9" } ]`)
	_, err = Read(path)
	require.ErrorContains(t, err, path+":1: rule 3 is never used: rule 2 ("+path+":1) holds")
}

func TestAWrongFileIsNamedWithTheLine(t *testing.T) {
	for text, says := range map[string]string{
		"\n[[rule]]\nalow = '80'":                   `:3: unknown key "rule.alow": the keys are`,
		"[[rule]]\nallow = '80'\nAllow = '1-65535'": `:3: unknown key "Allow": the keys are`,
		"[[Rule]]\nallow = '80'":                    `:1: unknown key "Rule"`,
		"Listener = '/x'":                           `:1: unknown key "Listener"`,
		"[rule]\nallow = '80'":                      ":1: a rule begins with [[rule]]",
		"[other]\nallow = '80'":                     `:1: unknown key "other"`,
		"[[rule]]\naudit = true\nruntime = 'crun'":  `:3: unknown key "rule.runtime": write`,
		"[[rule]]\n\nallow = ''":                    `:3: allow = "": is empty`,
		"[[rule]]\ndefault = ' '":                   `:2: default = " ": is empty: write a list`,
		"[[rule]]\nallow = '80a'":                   `:2: allow = "80a": "80a" is not a port`,
		"[[rule]]\nallow = 80":                      ":2: rule.allow has a value of another type: ",
		"[[rule]]\naudit = 'yes'":                   ":2: rule.audit has a value of another type: ",
		"[[rule]]\nnamespace = '[a'\naudit = true":  `:2: namespace = "[a" is no glob`,
		"[[rule]]\npod = ''\naudit = true":          `:2: pod = "" is empty`,
		"\n[[rule]]\npod = 'a'":                     ":2: rule 1 says nothing",
		"[[rule]]\naudit = true\n[[rule]]\npod = 'a'\ndefault = 'none'": ":3: rule 2 is " +
			"never used: rule 1 (",
		"[[rule]]\nallow = '80'\ndefault = '80-81'": `:3: default = "80-81": 80-81 is more than ` +
			`allow = "80" of rule 1`,

		"[[rule]]\nallow = '80'\nnamespace = '{a,b}'": `:3: namespace = "{a,b}" matches no name`,
		"[[rule]]\naudit = true\npod = '!web'":        `:3: pod = "!web" matches no name`,
		"\nlistener = 'agent.sock'":                   `:2: listener: "agent.sock": the OCI`,
		"metadata = 'port-restricter.port=80a'":       `:1: metadata: port-restricter.port: "80a"`,

		"metadata = '8000-8999'":               `:1: metadata: "8000-8999" is no limit: write port`,
		"metadata = 'port=80'":                 `:1: metadata: "port=80" is no limit: write a line`,
		"metadata = 'port-restricter.name=x'":  ":1: metadata: port-restricter.name is only for",
		"[[rule]]\nallow = '80'\nallow = '81'": ":3: ",
	} {
		path := written(t, text)
		_, err := Read(path)
		require.ErrorContains(t, err, path+says, text)
	}
}

func TestAFileThatIsNoneIsRefused(t *testing.T) {
	dir := t.TempDir()
	_, err := Read(dir)
	require.ErrorContains(t, err, "no regular file")
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	_, err = Read(fifo)
	require.ErrorContains(t, err, "no regular file")
	_, err = Read(written(t, "# "+strings.Repeat("x", sizeLimit-2)))
	require.NoError(t, err)
	_, err = Read(written(t, "# "+strings.Repeat("x", sizeLimit-1)))
	require.ErrorContains(t, err, "more than 1048576 bytes")
	_, err = Read(written(t, strings.Repeat("[[rule]]\npod = 'a'\naudit = true\n", 20000)))
	require.ErrorContains(t, err, "never used")
}

// A file of many lines is read in a time that grows with them, and no faster.
func FuzzRead(f *testing.F) {
	f.Add("[[rule]]\nallow = '80'\nrule.x = 1\n")
	f.Add("rule = [{a.b = [{c = 1}]}]")
	f.Add("listener = ''\n[[rule.x]]\n[rule.y]\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := written(t, text)
		s, err := Read(path)
		if err != nil {
			require.ErrorContains(t, err, path)
			return
		}
		for _, rule := range s.Rules.Texts() {
			require.Contains(t, rule.At[""], path+":")
		}
	})
}
