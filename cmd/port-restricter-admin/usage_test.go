package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/start"
)

// call runs a command line as main does, up to the point where a command would be run.
func call(args ...string) (status int, output string) {
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(""))
	root.SetOut(&out)
	root.SetErr(&out)
	status, err := cli.ExitStatus(root.Execute())
	if err != nil {
		out.WriteString(err.Error())
	}
	return status, out.String()
}

// TestAWrongCommandLineSaysWhatToWrite shows what a newcomer reads.
func TestAWrongCommandLineSaysWhatToWrite(t *testing.T) {
	for line, says := range map[string]string{
		"": "Usage:\n  port-restricter -p PORTS [flags] -- CMD",
		"agnet": `"agnet" is neither a command of port-restricter nor a program in` +
			" PATH: did you mean agent?",
		"injekt --bundle x":  "did you mean inject?",
		"stop-everything":    "the commands are agent, check, config, ",
		"sh -c true":         `no port given for "sh": name the ports that the command may bind`,
		"run agnet":          `no port given for "agnet"`,
		"run":                "no command to run: write port-restricter -p 5000 -- CMD",
		"-v":                 "no command to run",
		"-p 5000":            "no command to run",
		"-p 5000 --":         "no command to run",
		"-p abc":             `-p: "abc" is not a port`,
		"-p":                 "-p has no ports: write them behind it, as in -p 5000",
		"--port":             "-p has no ports: write them behind it",
		"-p -- true":         `-p has no ports, but is followed by "--": write the`,
		"--port= -- true":    "names no port: write a port such as 5000",
		"-l -p 5000 nc":      "'l' in -l; a flag of the command to run comes after its name",
		"--foo":              "--foo; a flag of the command to run comes after its name",
		"config foo":         `config takes no argument, only flags, but "foo" is one`,
		"agent foo":          `agent takes no argument, only flags, but "foo" is one`,
		"agent --foo":        "unknown flag: --foo; see port-restricter agent --help",
		"hook foo":           `"foo" is not a known stage: name one of precreate`,
		"hook precreate":     "nothing came on stdin: a container engine or an OCI",
		"hook poststart":     "port-restricter configure ENGINE makes it do so",
		"help everything":    `"everything" is not a command of port-restricter: the commands are`,
		"help hok":           "did you mean hook?",
		"help hook poststat": `not a command of port-restricter hook: did you mean poststart?`,
		"learn":              "nothing to learn from: write port-restricter learn -- CMD",
		"inject":             "; name the directory of config.json: --bundle DIR",

		"profile --metadata port-restricter.port=x": `--metadata: port-restricter.port: "x" is`,
		"profile --metadata port=80":                `"port=80" is no limit: write a line as`,
		"configure crio --metadata 80":              `"80" is no limit: write port-restricter`,
		"profile --listener x":                      `--listener: "x": the OCI runtime needs`,

		"configure foo":       "name one of podman, containerd, crio, docker, kubelet",
		"configure podman x":  `port-restricter configure podman takes no argument`,
		"--mode x -p 1 -- sh": `"x" is not a mode: write enforce or audit`,

		"-p 1 --pid-file= -- true": `--pid-file "": name the file with the pid of the daemon`,
		"help status x":            `"x" is not a command: port-restricter status has none`,
		"status a b":               `status takes one CONTAINER, but "b" is another argument`,
		"explain":                  "name a request, as in 80/tcp: explain CONTAINER 80/tcp, or",
		"explain a 80 81":          `"81" is one argument too many: explain CONTAINER 80/tcp, or`,
		"explain 80":               "name a container that the agent serves, or what it would have",
		"explain --annotation port-restricter.port=1 *:80": "write 0.0.0.0:80 or [::]:80",
		"profile --base -": "read seccomp profile on standard input: EOF",

		"learn --format x -- true": `--format "x" is not known: write all, or one of flags`,
		"learn --from x -- true":   `either runs "true" or reads --from x`,
		"learn --container x -- a": `--container is for containers: leave it out to run "a"`,
		"learn --from /nowhere":    "open /nowhere: no such file",
		"learn --from -":           "standard input has no event in it",
		"learn -p 5000 -- true":    "unknown shorthand flag: 'p' in -p; see port-restricter learn",
	} {
		status, output := call(strings.Fields(line)...)
		require.Equal(t, cli.StatusFailure, status, line)
		require.Contains(t, output, says, line)
	}
}

func TestHelpIsNoFailure(t *testing.T) {
	for line, says := range map[string]string{
		"--help":              "Usage:\n  port-restricter -p PORTS",
		"help":                "Usage:\n  port-restricter -p PORTS",
		"help run":            "Usage:\n  port-restricter run -p PORTS",
		"help hook precreate": "Usage:\n  port-restricter hook precreate",
		"config --help":       "PORT_RESTRICTER_CONFIG names",
		"--version":           "port-restricter version",
	} {
		status, output := call(strings.Fields(line)...)
		require.Zero(t, status, line)
		require.Contains(t, output, says, line)
	}
}

func TestInjectSaysWhyItRefuses(t *testing.T) {
	bundle := t.TempDir()
	for annotation, says := range map[string]string{
		`"port-restricter.port":"http"`:      `"http" is not a port`,
		`"Port-Restricter.port":"5000"`:      `"Port-Restricter.port" is misspelt`,
		`"port-restrictor.port":"5000"`:      `"port-restrictor.port" is misspelt`,
		`"port-restricter.port/web":"5000"`:  "the name of this one is unknown",
		`"port-restricter.name":"mypod-web"`: "leave it out",
	} {
		path := filepath.Join(bundle, "config.json")
		text := `{"annotations":{` + annotation + `},"linux":{}}`
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		status, output := call("inject", "--bundle", bundle)
		require.Equal(t, cli.StatusFailure, status, annotation)
		require.Contains(t, output, says)
		left, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(left))
	}
}

// A container that nothing restricts may bind everything. A script must see that it is no success.
func TestInjectSaysWhatItFound(t *testing.T) {
	settingsIn(t, "")
	bundle := t.TempDir()
	path := filepath.Join(bundle, "config.json")
	write := func(text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	inject := func(args ...string) string {
		status, output := call(append([]string{"inject", "--bundle", bundle}, args...)...)
		require.Zero(t, status, output)
		return output
	}
	write(`{"linux":{}}`)
	require.Equal(t, path+": not changed: nothing restricts this container"+
		" (no annotation, no metadata, no rule)\n", inject())
	write(`{"annotations":{"port-restricter.port":"5000"},"linux":{}}`)
	require.NotContains(t, inject("--dry-run"), "injected")
	require.Equal(t, path+": injected the filter\n", inject())
	require.Equal(t, path+": not changed: it has the filter already\n", inject())
	require.Equal(t, path+": not changed: it has the filter already\n", inject("--dry-run"))

	settingsIn(t, "[[rule]]\ndefault = \"5000\"\n")
	write(`{"linux":{}}`)
	require.Equal(t, path+": injected the filter\n", inject(), "by a rule")
	require.Equal(t, path+": not changed: it has the filter already\n", inject())
}

// A container that nothing restricts may bind the port.
func TestExplainSaysThatNothingRestricts(t *testing.T) {
	for _, flag := range []string{"--annotation=foo=5000", "--identity=web"} {
		status, output := call("explain", flag, "80/tcp")
		require.Zero(t, status, output)
		require.Equal(t, "80/tcp: allowed: nothing restricts this container (no annotation, no"+
			" metadata, no rule), so it may bind every port\n", output)
	}
	status, output := call("explain", "--annotation=port-restricter.port=81", "80/tcp")
	require.Equal(t, 1, status)
	require.Contains(t, output, "80/tcp: refused: ")
}

func TestAllCommandsAreReachedByPortRestricter(t *testing.T) {
	here := start.NewRoot("")
	for _, command := range newRoot().Commands() {
		found, _, _ := here.Find([]string{command.Name()})
		require.True(t, found != here || slices.Contains(start.Others, command.Name()),
			command.Name())
	}
}
