package runtimes

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// forEachRuntime runs a test with each OCI runtime that the shim supports.
func forEachRuntime(t *testing.T, test func(t *testing.T, real runc.Runtime)) {
	for name, of := range map[string]func(t testing.TB) runc.Runtime{
		"runc of Debian": func(testing.TB) runc.Runtime {
			return runc.Runtime{Path: "/usr/sbin/runc"}
		},
		"current runc": func(t testing.TB) runc.Runtime {
			return runc.Runtime{Path: runc.Built(t, "runc")}
		},
		"crun": runc.Crun,
	} {
		t.Run(name, func(t *testing.T) { test(t, of(t)) })
	}
}

// behindShim returns a container without a filter, which the shim runs by the runtime real.
// It has the port annotation unless port is empty.
func behindShim(
	t *testing.T, agent *runc.Agent, real runc.Runtime, port string, args ...string,
) *runc.Container {
	t.Helper()
	annotations := map[string]string{"other": "annotation"}
	if port != "" {
		annotations[key] = port
	}
	return runc.New(t, runc.Config{
		Runtime: real.Shimmed(t, agent), Rootfs: runc.Rootfs(t), Args: args,
		Annotations: annotations,
	})
}

// configOf returns the text of the container's config.json.
func configOf(t *testing.T, c *runc.Container) string {
	t.Helper()
	text, err := os.ReadFile(c.ConfigFile())
	require.NoError(t, err)
	return string(text)
}

// TestShimHoldsAContainerToItsPort shows that the annotation alone is enough behind the
// shim, which puts the filter into config.json. The shim must also pass on the exit status
// of a command in the container.
func TestShimHoldsAContainerToItsPort(t *testing.T) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		agent := runc.StartAgent(t)
		c := behindShim(t, agent, real, "5000", busybox, "sleep", "600")
		require.NoError(t, c.CreateAndStart(t))
		requireRefused(t, c, 5001)
		requireServed(t, c, 5000)
		require.Contains(t, agent.LogsOf(t, c), "5001", "the refusal is not in the log")
		status := runc.Finish(t, c.Exec(t, busybox, "sh", "-c", "exit 7")).Code
		require.Equal(t, 7, status, "the exit status of a command in the container")

		first := behindShim(t, agent, real, "5000", busybox, "nc", "-l", "-p", "5001").Run(t)
		require.NotZero(t, first.Code)
		require.Contains(t, first.Stderr, refusal)
	})
}

// TestShimLeavesAContainerWithoutAnAnnotationAlone shows that the shim changes nothing of
// containers that do not use port-restricter, and that they need no agent.
func TestShimLeavesAContainerWithoutAnAnnotationAlone(t *testing.T) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		agent := runc.StartAgent(t)
		agent.Stop(t)
		c := behindShim(t, agent, real, "", busybox, "sleep", "600")
		before := configOf(t, c)
		require.NoError(t, c.Start(t))
		require.Equal(t, before, configOf(t, c))
		requireServed(t, c, 5001)
	})
}

// TestShimHoldsAContainerWithoutAnAnnotationToTheMetadata shows that the administrator's
// limit is for everybody behind the shim, not only for those who ask for ports, and that
// metadata with a misspelt key starts no container.
func TestShimHoldsAContainerWithoutAnAnnotationToTheMetadata(t *testing.T) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		agent := runc.StartAgent(t)
		withMetadata := func(metadata, port string, args ...string) *runc.Container {
			limited := real
			limited.Env = append(slices.Clone(real.Env), "PORT_RESTRICTER_METADATA="+metadata)
			return behindShim(t, agent, limited, port, args...)
		}
		const limit = key + "=5000"
		c := withMetadata(limit, "", busybox, "sleep", "600")
		require.NoError(t, c.CreateAndStart(t))
		requireRefused(t, c, 5001)
		requireServed(t, c, 5000)
		annotated := withMetadata(limit, "5001", busybox, "nc", "-l", "-p", "5001").Run(t)
		require.Contains(t, annotated.Stderr, refusal, "an annotation went beyond the limit")

		misspelt := withMetadata("port-restrictor.port=5000", "", busybox, "true").Run(t)
		require.Equal(t, 125, misspelt.Code)
		require.Contains(t, misspelt.Stderr, `"port-restrictor.port" is misspelt: write `+key)
	})
}

// TestShimRefusesAContainerWithoutAnAgent shows that an annotated container does not start
// without an agent, that the error says how to start one, and that the bundle is unchanged.
func TestShimRefusesAContainerWithoutAnAgent(t *testing.T) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		agent := runc.StartAgent(t)
		agent.Stop(t)
		c := behindShim(t, agent, real, "5000", busybox, "true")
		before := configOf(t, c)
		result := c.Run(t)
		require.Equal(t, 125, result.Code)
		require.Contains(t, result.Stderr, "start it: port-restricter agent --socket "+agent.Socket)
		require.Equal(t, before, configOf(t, c), "the shim changed a bundle that it refused")
	})
}

// TestShimRefusesAnAnnotationThatMakesNoPolicy shows that an invalid annotation is an error
// before the container starts, and that the error quotes it.
func TestShimRefusesAnAnnotationThatMakesNoPolicy(t *testing.T) {
	agent := runc.StartAgent(t)
	real := runc.Runtime{Path: "/usr/sbin/runc"}
	result := behindShim(t, agent, real, "http", busybox, "true").Run(t)
	require.Equal(t, 125, result.Code)
	require.Contains(t, result.Stderr, key)
	require.Contains(t, result.Stderr, "http")
}

// TestShimRefusesToRestore shows that the shim refuses to restore an annotated container
// from a checkpoint.
func TestShimRefusesToRestore(t *testing.T) {
	agent := runc.StartAgent(t)
	c := behindShim(t, agent, runc.Runtime{Path: "/usr/sbin/runc"}, "5000", busybox, "true")
	result := viaShim(t, nil, "restore", "--bundle", filepath.Dir(c.ConfigFile()), "any")
	require.Equal(t, 125, result.Code)
	require.Contains(t, result.Stderr, "create the container anew")
}

// viaShim runs the shim with the arguments args, and with env added to its environment.
func viaShim(t *testing.T, env []string, args ...string) runc.Result {
	t.Helper()
	env = append(env, "XDG_RUNTIME_DIR="+t.TempDir()) // the shim keeps its files there
	return runAs(t, runc.Shim(t), env, args...)
}

// runAs runs the program at path, with env added to its environment.
func runAs(t *testing.T, path string, env []string, args ...string) runc.Result {
	t.Helper()
	command := exec.Command(path, args...)
	command.Env = append(os.Environ(), env...)
	return runc.Finish(t, command)
}

// TestShimPassesOtherCommandsOn shows that the output and the exit status of a command are
// those of the OCI runtime, whenever the command is not about an annotated container.
func TestShimPassesOtherCommandsOn(t *testing.T) {
	for _, args := range [][]string{
		nil, {"--version"}, {"-v"}, {"--help"}, {"features"}, {"state", "nobody"},
		{"create", "--help"}, {"create"}, {"no-command"}, {"--no-option"},
		{"create", "--bundle", "/nowhere", "nobody"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			for _, runtime := range []string{"/usr/sbin/runc", "/usr/bin/crun"} {
				env := []string{"PORT_RESTRICTER_RUNTIME=" + runtime}
				wanted := withoutTime(runAs(t, runtime, env, args...))
				require.Equal(t, wanted, withoutTime(runAs(t, runc.Shim(t), env, args...)))
			}
		})
	}
}

// withoutTime removes the time from the first of runc's log lines.
func withoutTime(r runc.Result) runc.Result {
	if before, rest, ok := strings.Cut(r.Stderr, `time="`); ok {
		_, rest, _ = strings.Cut(rest, `" `)
		r.Stderr = before + rest
	}
	return r
}

// TestShimFindsTheRuntime shows how the shim chooses the OCI runtime behind it: by its
// setting, or from PATH, but never itself, which would recurse without end.
func TestShimFindsTheRuntime(t *testing.T) {
	path := func(dirs ...string) string { return "PATH=" + strings.Join(dirs, ":") }
	fake := t.TempDir() // contains the shim under the name of a runtime
	require.NoError(t, os.Symlink(runc.Binary(t), filepath.Join(fake, "runc")))
	onlyCrun := t.TempDir()
	require.NoError(t, os.Symlink("/usr/bin/crun", filepath.Join(onlyCrun, "crun")))
	for _, test := range []struct {
		name string
		env  []string
		says string
	}{
		{"runc before crun", []string{path("/usr/bin", "/usr/sbin")}, "runc version"},
		{"in sbin, which is not in the PATH of users", []string{path("/usr/bin")}, "runc version"},
		{"not itself from PATH", []string{path(fake, "/usr/bin")}, "runc version"},
		{"a name", []string{"PORT_RESTRICTER_RUNTIME=crun"}, "crun version"},
		{"a path", []string{"PORT_RESTRICTER_RUNTIME=" + onlyCrun + "/crun"}, "crun version"},
		{"itself by its path", []string{"PORT_RESTRICTER_RUNTIME=" + fake + "/runc"},
			fake + "/runc: that is port-restricter itself: name the runtime behind it"},
		{"a name that is not in PATH", []string{"PORT_RESTRICTER_RUNTIME=youki"},
			"no OCI runtime youki in PATH"},
		{"a path that does not exist", []string{"PORT_RESTRICTER_RUNTIME=/nowhere/runc"},
			"/nowhere/runc: no such file"},
		{"a directory", []string{"PORT_RESTRICTER_RUNTIME=/usr/bin"}, "can't be executed"},
		{"a relative path", []string{"PORT_RESTRICTER_RUNTIME=bin/runc"}, "relative path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := viaShim(t, test.env, "--version")
			require.Contains(t, result.Stdout+result.Stderr, test.says)
		})
	}
}

// TestShimReadsTheSettings shows that the shim takes its OCI runtime from the settings file,
// and that an invalid file is an error only for a command that needs the settings.
func TestShimReadsTheSettings(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "config.toml")
	env := []string{"PORT_RESTRICTER_CONFIG=" + settings}
	require.NoError(t, os.WriteFile(settings, []byte(`runtime = "crun"`), 0o600))
	require.Contains(t, viaShim(t, env, "--version").Stdout, "crun version")

	for _, wrong := range []string{
		`metadata = "8000"`, `listener = "a"`, "[[rule]]\nallow = \"x\"",
	} {
		text := "runtime = \"crun\"\n" + wrong
		require.NoError(t, os.WriteFile(settings, []byte(text), 0o600))
		require.Contains(t, viaShim(t, env, "--version").Stdout, "crun version", wrong)
		require.Contains(t, viaShim(t, env, "create", "id").Stderr, settings+":", wrong)
	}

	require.NoError(t, os.WriteFile(settings, []byte(`runtim = "crun"`), 0o600))
	broken := viaShim(t, env, "--version")
	require.Equal(t, 125, broken.Code)
	require.Contains(t, broken.Stderr, settings)
	named := []string{"PORT_RESTRICTER_CONFIG=" + settings, "PORT_RESTRICTER_RUNTIME=crun"}
	require.Contains(t, viaShim(t, named, "--version").Stdout, "crun version",
		"a command that does not need the settings fails because of them")
	require.Contains(t, viaShim(t, named, "create", "id").Stderr, settings)
}

// TestShimIsCalledByLinkCopyAndCommand shows the three ways to call the shim, and that a
// copy of it recognizes another one as itself.
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
	// The runtime behind the one copy is the other.
	result := runAs(t, duplicate, []string{"PORT_RESTRICTER_RUNTIME=" + runc.Shim(t)}, "--version")
	require.Contains(t, result.Stderr, "that is port-restricter itself")
}

// TestShimWritesItsErrorWhereTheEngineLooks shows that the shim writes its error to the log
// file that an engine names, in the format that the engine asks for. Engines show their
// user the error in that file.
func TestShimWritesItsErrorWhereTheEngineLooks(t *testing.T) {
	agent := runc.StartAgent(t)
	agent.Stop(t)
	c := behindShim(t, agent, runc.Runtime{Path: "/usr/sbin/runc"}, "5000", busybox, "true")
	create := func(global ...string) runc.Result {
		env := []string{"PORT_RESTRICTER_RUNTIME=runc", "PORT_RESTRICTER_LISTENER=" + agent.Socket}
		bundle := filepath.Dir(c.ConfigFile())
		return viaShim(t, env, append(global, "create", "--bundle", bundle, "nobody")...)
	}
	const advice = "start it: port-restricter agent"
	log := filepath.Join(t.TempDir(), "log.json")

	require.Contains(t, create("--log", log, "--log-format", "json").Stderr, advice)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	var line struct{ Level, Msg, Time string }
	require.NoError(t, json.Unmarshal(text, &line))
	require.Equal(t, "error", line.Level)
	require.Contains(t, line.Msg, advice)
	require.NotEmpty(t, line.Time)

	create("--log=file:" + log) // appends a line of text; file: is crun's syntax
	text, err = os.ReadFile(log)
	require.NoError(t, err)
	require.Regexp(t, `(?s)^{.*}\ntime=\S+ level=error msg=".*start it.*"\n$`, string(text))

	require.Contains(t, create("--log", "/nowhere/log").Stderr, advice)
	require.Contains(t, create("--log", "journald:id").Stderr, advice)
	require.NoFileExists(t, "journald:id")
}
