package runtimes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/test/runc"
)

// TestConfiguredPodmanHoldsContainersByTheAdministratorsRules shows that a rule restricts
// containers that nobody annotated, that it is found by podman's own name of the container, and
// that podman's user reads why a container that asks for more does not start.
func TestConfiguredPodmanHoldsContainersByTheAdministratorsRules(t *testing.T) {
	const rules = `[[rule]]
namespace = "*" # podman's containers have none
default = "none"
[[rule]]
container = "web-?"
allow = "5000-5009"
default = "5000"
[[rule]]
default = "unrestricted"
`
	forRuncAndCrun(t, func(t *testing.T, runtime string) {
		rulesFile(t, rules)
		agent := runc.StartAgent(t)
		require.NoError(t, os.Unsetenv(settings.PathVariable)) // the node has them in /etc
		n := node{runc.NewWorld(t, runc.World{
			Cgroup2: runtime == "crun", Settings: "listener = '" + agent.Socket + "'\n" + rules,
		}), runc.Binary(t)}
		n.run(t, "rm", "-rf", "/etc/containers/containers.conf.d")
		n.configure(t, "podman")
		podman := newPodman(t, runtime, n.World)
		podman.disableCgroups(runtime)
		listen := func(port, name string, options ...string) runc.Result {
			t.Helper()
			return podman.listen(t, port, append(options, "--name", name)...)
		}
		requireServed := func(result runc.Result) {
			t.Helper()
			require.Equal(t, listened, result.Code, result.Stderr)
		}
		require.Contains(t, listen("5001", "web-1").Stderr, refusal)
		requireServed(listen("5000", "web-1"))
		requireServed(listen("5001", "web")) // everybody's rule

		require.Contains(t, listen("5000", "web-1", annotation+"5001").Stderr, refusal)
		requireServed(listen("5001", "web-1", annotation+"5001"))
		excessive := listen("5001", "web-1", annotation+"5010")
		require.Equal(t, 126, excessive.Code)
		require.Contains(t, excessive.Stderr, "(port-restricter refuses this container: annotation"+
			" port-restricter.port=5010: 5010 is more than allow = ")
		require.Contains(t, excessive.Stderr, "of rule 2 ("+settings.DefaultPath+":7)")
		// A key by which keys would speak of the container by another name.
		byName := listen("5001", "web-1", "--annotation", key+"/1=5010")
		require.Equal(t, 126, byName.Code)
		require.Contains(t, byName.Stderr, "5010 is more than allow = ")

		// Nor do volumes in place of podman's own mounts, which an image can have as well.
		hidden := []string{annotation + "5001"}
		for _, place := range []string{"hosts", "hostname", "resolv.conf"} {
			hidden = append(hidden, "--mount", "type=tmpfs,destination=/etc/"+place)
		}
		hidden = append(hidden, "--mount", "type=tmpfs,destination=/run/.containerenv")
		nameless := listen("5001", "web-1", hidden...)
		require.Equal(t, 126, nameless.Code)
		require.Contains(t, nameless.Stderr, "has volumes at /run/.containerenv")

		// Without the precreate hook, each guard refuses the container.
		const hooks = "/etc/port-restricter/podman/hooks.d"
		n.run(t, "rm", hooks+"/port-restricter-precreate.json")
		for _, stage := range []string{"createRuntime", "poststart"} {
			unfiltered := listen("5000", "web-1")
			require.NotZero(t, unfiltered.Code)
			require.NotEqual(t, listened, unfiltered.Code)
			require.Contains(t, agent.Log(t), `"by":"hook `+stage)
			requireServed(listen("5001", "web"))
			n.run(t, "sh", "-c", "rm $(grep -l '"+stage+"' "+hooks+"/*)")
		}
	})
}

// rulesFile makes a text the settings of the programs that the test starts, and returns their
// file, which the agent's user can read.
func rulesFile(t *testing.T, text string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rules-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "config.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	t.Setenv(settings.PathVariable, path)
	return path
}

// TestAReloadGivesRunningContainersTheNewLimits shows what SIGHUP does to a container that runs,
// also to a process that was there before, and that a wrong file changes nothing.
func TestAReloadGivesRunningContainersTheNewLimits(t *testing.T) {
	file := rulesFile(t, "")
	agent := runc.StartAgent(t)
	c := idle(t, agent, "5000-5001")
	unannotated := idle(t, agent, "")
	reload := func(text string, mode os.FileMode, says string) {
		t.Helper()
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		require.NoError(t, os.Chmod(file, mode))
		agent.Reload(t, says)
	}
	// requireInForce requires that the agent shows the rules that are in force, and why a newer
	// file is not.
	requireInForce := func(rules int, rule, problem string) {
		t.Helper()
		var status struct{ Agent control.Agent }
		shown := runc.Finish(t, agent.Ask(t, "status", "--json"))
		require.NoError(t, json.Unmarshal([]byte(shown.Stdout), &status), shown.Stderr)
		require.Equal(t, file, status.Agent.Settings.File)
		require.Equal(t, rules, status.Agent.Settings.Rules)
		require.WithinRange(t, status.Agent.Settings.Read, status.Agent.Since, time.Now())
		running := runc.Finish(t, agent.Ask(t, "config", "--running"))
		require.Zero(t, running.Code, running.Stderr)
		require.Contains(t, running.Stdout, rule)
		text := runc.Finish(t, agent.Ask(t, "status")).Stdout
		require.Equal(t, rules > 0 || problem != "", strings.Contains(text, "Rules in force: "))
		for _, where := range []string{status.Agent.Settings.Problem, running.Stdout, text} {
			require.Contains(t, where, problem)
			require.Equal(t, problem != "", strings.Contains(where, "read settings"))
		}
	}
	requireInForce(0, "# no rules", "")
	requireServed(t, c, 5001)
	requireRefused(t, unannotated, 5000)

	reload("[[rule]]\nallow = '5000'\ndefault = '5000'\n", 0o644, "the rules were read again")
	requireRefused(t, c, 5000) // it asks for more, and gets nothing
	require.Contains(t, agent.LogsOf(t, c), `5000-5001 is more than allow = \"5000\" of rule 1`)
	requireServed(t, unannotated, 5000)
	requireInForce(1, "allow = '5000' ", "")

	const allow = "[[rule]]\nallow = '5000-5005'\ndefault = 'none'\n"
	reload(allow, 0o644, "the rules were read again")
	requireServed(t, c, 5000)
	requireRefused(t, unannotated, 5000)
	require.Contains(t, agent.LogsOf(t, unannotated), `is not in default = \"none\" of rule 1`)

	for text, says := range map[string]string{
		"[[rule]]\ndefalt = 'none'\n": file + `:2: unknown key`,
		"[[rule]]\nallow = ''\n":      file + `:2: allow = `,
	} {
		reload(text, 0o644, says)
		requireServed(t, c, 5001)
		requireRefused(t, unannotated, 5000)
		requireInForce(1, "default = 'none' ", says)
	}
	reload("", 0o600, "must be able to read it")
	requireServed(t, c, 5001)
	requireInForce(1, "allow = '5000-5005' ", "must be able to read it")
	require.Equal(t, 3, strings.Count(agent.Log(t), "the rules stay as they were"))

	reload("", 0o644, "the rules were read again")
	requireInForce(0, "# no rules", "")
	requireServed(t, c, 5001)
	requireRefused(t, unannotated, 5000)
}
