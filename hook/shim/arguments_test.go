package shim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnderstand(t *testing.T) {
	for _, test := range []struct {
		name    string
		args    []string
		configs []string
	}{
		{"nothing", nil, nil},
		{"a version", []string{"--version"}, nil},
		{"features", []string{"features"}, nil},
		{"another command", []string{"--root", "/r", "delete", "--force", "id"}, nil},
		{"a container named create", []string{"kill", "create", "KILL"}, nil},
		{"a command for a container", []string{"exec", "id", "run", "--bundle", "/b"}, nil},
		{"a value that looks like the command", []string{"--root", "create", "state", "id"}, nil},
		{"no option", []string{"create", "id"}, []string{"config.json"}},
		{"two arguments", []string{"create", "--bundle", "/b", "id"}, []string{"/b/config.json"}},
		{"a relative one", []string{"run", "--bundle", "b", "id"}, []string{"b/config.json"}},
		{"one argument", []string{"create", "--bundle=/b", "id"}, []string{"/b/config.json"}},
		{"a short option", []string{"run", "-b", "/b", "id"}, []string{"/b/config.json"}},
		{"argp: a cluster", []string{"run", "-db", "/b", "id"}, []string{"/b/config.json", "config.json"}},
		{"argp: a short option with its value", []string{"run", "-b/b", "id"}, []string{"/b/config.json", "config.json"}},
		{"argp: a beginning", []string{"run", "--bund", "/b", "id"}, []string{"/b/config.json", "config.json"}},
		{"argp: a letter", []string{"run", "--b=/b", "id"}, []string{"/b/config.json"}},
		{"Go or argp", []string{"run", "-b=/b", "id"}, []string{"/b/config.json", "=/b/config.json"}},
		{"Go, one dash", []string{"run", "-bundle=/b", "id"}, []string{"/b/config.json", "undle=/b/config.json"}},
		{"Go, behind the name", []string{"create", "id", "--bundle", "/b"}, []string{"/b/config.json", "config.json"}},
		{"an empty one", []string{"create", "--bundle", "", "id"}, []string{"config.json"}},
		{"the last one wins", []string{"create", "-b", "/a", "--bundle=/b", "id"}, []string{"/b/config.json"}},
		{"the last one is the default", []string{"create", "-b", "/a", "--bundle", ".", "id"}, []string{"config.json"}},
		{"a value of another option", []string{"create", "--pid-file", "/a", "-b", "/b", "--console-socket=--bundle", "id"}, []string{"/b/config.json"}},
		{"behind the options", []string{"create", "-b", "/b", "--", "--bundle"}, []string{"/b/config.json"}},
		{"a name that begins with a dash", []string{"create", "--", "-b"}, []string{"config.json"}},
		{"global options", []string{"--root", "/r", "--log=/l", "--debug", "--rootless", "true", "create", "-b", "/b", "id"}, []string{"/b/config.json"}},
		{"global options end", []string{"--debug", "--", "create", "-b", "/b", "id"}, []string{"/b/config.json"}},
		{"a value create", []string{"--root", "create", "create", "-b", "/b", "id"}, []string{"/b/config.json"}},
		{"argp: the beginning of a global option", []string{"--cgroup-m", "cgroupfs", "run", "-b", "/b", "id"}, []string{"/b/config.json"}},
		{"an unknown global option", []string{"--new", "value", "create", "-b", "/b", "id"}, []string{"/b/config.json"}},
		{"an unknown global switch", []string{"--new", "create", "-b", "/b", "id"}, []string{"/b/config.json"}},
		{"an unknown global option with a value create", []string{"--new", "create", "create", "-b", "/b", "id"}, []string{"/b/config.json", "config.json"}},
		{"an unknown grammar", []string{"oci", "container", "create", "-b", "/b", "id"}, []string{"/b/config.json"}},
		{"an unknown option", []string{"create", "--new", "--bundle", "/b", "id"}, []string{"/b/config.json", "config.json"}},
		{"crun's config, absolute", []string{"run", "--config", "/c.json", "-b", "/b", "id"}, []string{"/c.json"}},
		{"crun's config, relative", []string{"run", "-fc.json", "-b", "/b", "id"}, []string{"/b/c.json", "c.json", "/b/config.json", "config.json"}},
		{"a name like crun's option", []string{"create", "--config", "--bundle", "/b", "--"}, []string{"/b/config.json", "/b/--bundle", "--bundle", "config.json"}},
		{"a checkpoint", []string{"restore", "--image-path", "/i", "--bundle", "/b", "id"}, []string{"/b/config.json"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.ElementsMatch(t, test.configs, ParseArguments(test.args).Configs)
		})
	}
}

func TestUnderstandLog(t *testing.T) {
	got := ParseArguments([]string{"--root", "/r", "--log", "/l", "--log-format=json", "create", "id"})
	require.Equal(t, "/l", got.Log)
	require.Equal(t, "json", got.LogFormat)
}
