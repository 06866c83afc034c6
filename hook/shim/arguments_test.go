package shim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestParseArguments shows which files count as the config.json of a container to
// create. A file that is missing here would let a container start without the filter.
func TestParseArguments(t *testing.T) {
	for _, test := range []struct {
		name    string
		args    []string
		configs []string
	}{
		{"no arguments", nil, nil},
		{"a version", []string{"--version"}, nil},
		{"features", []string{"features"}, nil},
		{"another command", []string{"--root", "/r", "delete", "--force", "id"}, nil},
		{"a container named create", []string{"kill", "create", "KILL"}, nil},
		{"a command for a container", []string{"exec", "id", "run", "--bundle", "/b"}, nil},
		{"a value that looks like the command", []string{"--root", "create", "state", "id"}, nil},
		{"no option", []string{"create", "id"}, []string{"config.json"}},
		{"a value in its own argument",
			[]string{"create", "--bundle", "/b", "id"},
			[]string{"/b/config.json"}},
		{"a relative bundle", []string{"run", "--bundle", "b", "id"}, []string{"b/config.json"}},
		{"a value in the same argument",
			[]string{"create", "--bundle=/b", "id"},
			[]string{"/b/config.json"}},
		{"a short option", []string{"run", "-b", "/b", "id"}, []string{"/b/config.json"}},
		{"argp: a cluster of letters",
			[]string{"run", "-db", "/b", "id"},
			[]string{"/b/config.json", "config.json"}},
		{"argp: a short option with its value",
			[]string{"run", "-b/b", "id"},
			[]string{"/b/config.json", "config.json"}},
		{"argp: the beginning of a name",
			[]string{"run", "--bund", "/b", "id"},
			[]string{"/b/config.json", "config.json"}},
		{"argp: a letter behind two dashes",
			[]string{"run", "--b=/b", "id"},
			[]string{"/b/config.json"}},
		{"different values to Go and argp",
			[]string{"run", "-b=/b", "id"},
			[]string{"/b/config.json", "=/b/config.json"}},
		{"Go: a long name behind one dash",
			[]string{"run", "-bundle=/b", "id"},
			[]string{"/b/config.json", "undle=/b/config.json"}},
		{"Go: an option behind the ID",
			[]string{"create", "id", "--bundle", "/b"},
			[]string{"/b/config.json", "config.json"}},
		{"an empty value", []string{"create", "--bundle", "", "id"}, []string{"config.json"}},
		{"two values, of which the last counts",
			[]string{"create", "-b", "/a", "--bundle=/b", "id"},
			[]string{"/b/config.json"}},
		{"two values, of which the last is the default",
			[]string{"create", "-b", "/a", "--bundle", ".", "id"},
			[]string{"config.json"}},
		{"a value of another option",
			[]string{"create", "--pid-file", "/a", "-b", "/b", "--console-socket=--bundle", "id"},
			[]string{"/b/config.json"}},
		{"an ID that looks like an option, behind options",
			[]string{"create", "-b", "/b", "--", "--bundle"},
			[]string{"/b/config.json"}},
		{"an ID that begins with a dash", []string{"create", "--", "-b"}, []string{"config.json"}},
		{"global options",
			[]string{"--root", "/r", "--log=/l", "--debug", "--rootless", "true",
				"create", "-b", "/b", "id"},
			[]string{"/b/config.json"}},
		{"the end of the global options",
			[]string{"--debug", "--", "create", "-b", "/b", "id"},
			[]string{"/b/config.json"}},
		{"the value create of a global option",
			[]string{"--root", "create", "create", "-b", "/b", "id"},
			[]string{"/b/config.json"}},
		{"argp: the beginning of a global option",
			[]string{"--cgroup-m", "cgroupfs", "run", "-b", "/b", "id"},
			[]string{"/b/config.json"}},
		{"an unknown global option with a value",
			[]string{"--new", "value", "create", "-b", "/b", "id"},
			[]string{"/b/config.json"}},
		{"an unknown global option without a value",
			[]string{"--new", "create", "-b", "/b", "id"},
			[]string{"/b/config.json"}},
		{"an unknown global option with the value create",
			[]string{"--new", "create", "create", "-b", "/b", "id"},
			[]string{"/b/config.json", "config.json"}},
		{"an unknown grammar",
			[]string{"oci", "container", "create", "-b", "/b", "id"},
			[]string{"/b/config.json"}},
		{"an unknown option",
			[]string{"create", "--new", "--bundle", "/b", "id"},
			[]string{"/b/config.json", "config.json"}},
		{"crun: --config with an absolute path",
			[]string{"run", "--config", "/c.json", "-b", "/b", "id"},
			[]string{"/c.json"}},
		{"crun: --config with a relative path",
			[]string{"run", "-fc.json", "-b", "/b", "id"},
			[]string{"/b/c.json", "c.json", "/b/config.json", "config.json"}},
		{"runc: an ID that crun reads as --config",
			[]string{"create", "--config", "--bundle", "/b", "--"},
			[]string{"/b/config.json", "/b/--bundle", "--bundle", "config.json"}},
		{"a checkpoint",
			[]string{"restore", "--image-path", "/i", "--bundle", "/b", "id"},
			[]string{"/b/config.json"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.ElementsMatch(t, test.configs, ParseArguments(test.args).Configs)
		})
	}
}

// TestParseArgumentsFindsTheLog shows that an error can reach the log that the engine
// reads.
func TestParseArgumentsFindsTheLog(t *testing.T) {
	args := []string{"--root", "/r", "--log", "/l", "--log-format=json", "create", "id"}
	got := ParseArguments(args)
	require.Equal(t, "/l", got.Log)
	require.Equal(t, "json", got.LogFormat)
}
