package runtimes

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// forEachRuntime runs a test with the runtimes that the shim stands in front of.
func forEachRuntime(t *testing.T, test func(t *testing.T, real runc.Runtime)) {
	for name, of := range map[string]func(t testing.TB) runc.Runtime{
		"runc of Debian": func(testing.TB) runc.Runtime { return runc.Runtime{Path: "/usr/sbin/runc"} },
		"current runc":   func(t testing.TB) runc.Runtime { return runc.Runtime{Path: runc.Built(t, "runc")} },
		"crun":           runc.Crun,
	} {
		t.Run(name, func(t *testing.T) { test(t, of(t)) })
	}
}

// behindShim is a container without any filter of its own.
func behindShim(t *testing.T, agent *runc.Agent, real runc.Runtime, port string, args ...string) *runc.Container {
	t.Helper()
	annotations := map[string]string{"other": "annotation"}
	if port != "" {
		annotations[key] = port
	}
	return runc.New(t, runc.Config{Runtime: real.Shimmed(t, agent), Rootfs: runc.Rootfs(t), Args: args, Annotations: annotations})
}

func configOf(t *testing.T, c *runc.Container) string {
	t.Helper()
	text, err := os.ReadFile(c.ConfigFile())
	require.NoError(t, err)
	return string(text)
}

func TestShimHoldsAContainerToItsPort(t *testing.T) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		agent := runc.StartAgent(t)
		c := behindShim(t, agent, real, "5000", busybox, "sleep", "600")
		require.NoError(t, c.CreateAndStart(t))
		requireRefused(t, c, 5001)
		requireServed(t, c, 5000)
		require.Contains(t, agent.LogsOf(t, c), "5001", "the refusal is not in the log")
		status := runc.Finish(t, c.Exec(t, busybox, "sh", "-c", "exit 7")).Code
		require.Equal(t, 7, status, "the status of a command in the container")

		first := behindShim(t, agent, real, "5000", busybox, "nc", "-l", "-p", "5001").Run(t)
		require.NotZero(t, first.Code)
		require.Contains(t, first.Stderr, refusal)
	})
}

func TestShimLeavesAContainerWithoutAnAnnotationAlone(t *testing.T) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		agent := runc.StartAgent(t)
		agent.Stop(t) // not needed for it
		c := behindShim(t, agent, real, "", busybox, "sleep", "600")
		before := configOf(t, c)
		require.NoError(t, c.Start(t))
		require.Equal(t, before, configOf(t, c))
		requireServed(t, c, 5001)
	})
}

func TestShimRefusesAContainerWithoutAnAgent(t *testing.T) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		agent := runc.StartAgent(t)
		agent.Stop(t)
		c := behindShim(t, agent, real, "5000", busybox, "true")
		before := configOf(t, c)
		result := c.Run(t)
		require.Equal(t, 125, result.Code)
		require.Contains(t, result.Stderr, "start it: port-restricter agent --socket "+agent.Socket)
		require.Equal(t, before, configOf(t, c), "what doesn't start is not changed")
	})
}

func TestShimRefusesAnAnnotationThatMakesNoPolicy(t *testing.T) {
	agent := runc.StartAgent(t)
	result := behindShim(t, agent, runc.Runtime{Path: "/usr/sbin/runc"}, "http", busybox, "true").Run(t)
	require.Equal(t, 125, result.Code)
	require.Contains(t, result.Stderr, key)
	require.Contains(t, result.Stderr, "http")
}

func TestShimRefusesToRestore(t *testing.T) {
	agent := runc.StartAgent(t)
	c := behindShim(t, agent, runc.Runtime{Path: "/usr/sbin/runc"}, "5000", busybox, "true")
	result := viaShim(t, nil, "restore", "--bundle", filepath.Dir(c.ConfigFile()), "any")
	require.Equal(t, 125, result.Code)
	require.Contains(t, result.Stderr, "create the container anew")
}

// viaShim runs a command of the shim, with further variables in its environment.
func viaShim(t *testing.T, env []string, args ...string) runc.Result {
	t.Helper()
	env = append(env, "XDG_RUNTIME_DIR="+t.TempDir()) // what the shim keeps
	return runAs(t, runc.Shim(t), env, args...)
}

func runAs(t *testing.T, path string, env []string, args ...string) runc.Result {
	t.Helper()
	command := exec.Command(path, args...)
	command.Env = append(os.Environ(), env...)
	return runc.Finish(t, command)
}

func TestShimPassesOtherCommandsOn(t *testing.T) {
	for _, args := range [][]string{nil, {"--version"}, {"-v"}, {"--help"}, {"features"}, {"state", "nobody"}, {"create", "--help"}, {"create"}, {"no-command"}, {"--no-option"},
		{"create", "--bundle", "/nowhere", "nobody"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			for _, runtime := range []string{"/usr/sbin/runc", "/usr/bin/crun"} {
				env := []string{"PORT_RESTRICTER_RUNTIME=" + runtime}
				wanted := withoutTime(runAs(t, runtime, env, args...))
				require.Equal(t, wanted, withoutTime(runAs(t, runc.Shim(t), env, args...)))
			}
		})
	}
}

// withoutTime cuts the time off runc's log lines.
func withoutTime(r runc.Result) runc.Result {
	if before, rest, ok := strings.Cut(r.Stderr, `time="`); ok {
		_, rest, _ = strings.Cut(rest, `" `)
		r.Stderr = before + rest
	}
	return r
}

func TestShimFindsTheRuntime(t *testing.T) {
	path := func(dirs ...string) string { return "PATH=" + strings.Join(dirs, ":") }
	fake := t.TempDir() // a runtime that is ourselves
	require.NoError(t, os.Symlink(runc.Binary(t), filepath.Join(fake, "runc")))
	onlyCrun := t.TempDir()
	require.NoError(t, os.Symlink("/usr/bin/crun", filepath.Join(onlyCrun, "crun")))
	for _, test := range []struct {
		name string
		env  []string
		says string
	}{
		{"runc before crun", []string{path("/usr/bin", "/usr/sbin")}, "runc version"},
		{"in sbin, which users don't have in PATH", []string{path("/usr/bin")}, "runc version"},
		{"past ourselves", []string{path(fake, "/usr/bin")}, "runc version"},
		{"a name", []string{"PORT_RESTRICTER_RUNTIME=crun"}, "crun version"},
		{"a path", []string{"PORT_RESTRICTER_RUNTIME=" + onlyCrun + "/crun"}, "crun version"},
		{"ourselves", []string{"PORT_RESTRICTER_RUNTIME=" + fake + "/runc"}, fake + "/runc: that is port-restricter itself: name the runtime behind it"},
		{"a name that is not there", []string{"PORT_RESTRICTER_RUNTIME=youki"}, "no OCI runtime youki in PATH"},
		{"a path that is not there", []string{"PORT_RESTRICTER_RUNTIME=/nowhere/runc"}, "/nowhere/runc: no such file"},
		{"a directory", []string{"PORT_RESTRICTER_RUNTIME=/usr/bin"}, "can't be executed"},
		{"a relative path", []string{"PORT_RESTRICTER_RUNTIME=bin/runc"}, "relative path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := viaShim(t, test.env, "--version")
			require.Contains(t, result.Stdout+result.Stderr, test.says)
		})
	}
}

func TestShimReadsTheSettings(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "config.toml")
	require.NoError(t, os.WriteFile(settings, []byte(`runtime = "crun"`), 0o600))
	require.Contains(t, viaShim(t, []string{"PORT_RESTRICTER_CONFIG=" + settings}, "--version").Stdout, "crun version")

	require.NoError(t, os.WriteFile(settings, []byte(`runtim = "crun"`), 0o600))
	broken := viaShim(t, []string{"PORT_RESTRICTER_CONFIG=" + settings}, "--version")
	require.Equal(t, 125, broken.Code)
	require.Contains(t, broken.Stderr, settings)
	named := []string{"PORT_RESTRICTER_CONFIG=" + settings, "PORT_RESTRICTER_RUNTIME=crun"}
	require.Contains(t, viaShim(t, named, "--version").Stdout, "crun version", "what doesn't need the settings works without")
	require.Contains(t, viaShim(t, named, "create", "id").Stderr, settings)
}

func TestShimIsCalledByLinkCopyAndCommand(t *testing.T) {
	binary := runc.Binary(t)
	program, err := os.ReadFile(binary)
	require.NoError(t, err)
	dir := t.TempDir()
	duplicate := filepath.Join(dir, "port-restricter-runtime")
	require.NoError(t, os.WriteFile(duplicate, program, 0o755))
	env := []string{"PORT_RESTRICTER_RUNTIME=runc"}
	for _, result := range []runc.Result{
		viaShim(t, env, "--version"),
		runAs(t, duplicate, env, "--version"),
		runAs(t, binary, env, "runtime", "--version"),
	} {
		require.Contains(t, result.Stdout, "runc version", result.Stderr)
	}
	// One copy names the other.
	result := runAs(t, duplicate, []string{"PORT_RESTRICTER_RUNTIME=" + runc.Shim(t)}, "--version")
	require.Contains(t, result.Stderr, "that is port-restricter itself")
}

func TestShimWritesItsErrorWhereTheEngineLooks(t *testing.T) {
	agent := runc.StartAgent(t)
	agent.Stop(t)
	c := behindShim(t, agent, runc.Runtime{Path: "/usr/sbin/runc"}, "5000", busybox, "true")
	create := func(global ...string) runc.Result {
		return viaShim(t, []string{"PORT_RESTRICTER_RUNTIME=runc", "PORT_RESTRICTER_LISTENER=" + agent.Socket},
			append(global, "create", "--bundle", filepath.Dir(c.ConfigFile()), "nobody")...)
	}
	const mend = "start it: port-restricter agent"
	log := filepath.Join(t.TempDir(), "log.json")

	require.Contains(t, create("--log", log, "--log-format", "json").Stderr, mend)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	var line struct{ Level, Msg, Time string }
	require.NoError(t, json.Unmarshal(text, &line))
	require.Equal(t, "error", line.Level)
	require.Contains(t, line.Msg, mend)
	require.NotEmpty(t, line.Time)

	create("--log=file:" + log) // behind it, as text, in crun's form
	text, err = os.ReadFile(log)
	require.NoError(t, err)
	require.Regexp(t, `(?s)^{.*}\ntime=\S+ level=error msg=".*start it.*"\n$`, string(text))

	require.Contains(t, create("--log", "/nowhere/log").Stderr, mend)
	require.Contains(t, create("--log", "journald:id").Stderr, mend)
	require.NoFileExists(t, "journald:id")
}
