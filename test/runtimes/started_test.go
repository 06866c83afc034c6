package runtimes

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// guarded returns the runtime with the guard as the only hook of its containers, and with
// another edit of their config.json.
func guarded(
	t *testing.T, agent *runc.Agent, real runc.Runtime, edit func(*specs.Spec),
) runc.Runtime {
	t.Helper()
	mend := real.Mend
	real.Mend = func(s *specs.Spec) {
		if mend != nil {
			mend(s)
		}
		s.Hooks = &specs.Hooks{Poststart: []specs.Hook{{
			Path: runc.Binary(t),
			Args: []string{"port-restricter", "hook", "poststart", "--listener", agent.Socket},
		}}}
		edit(s)
	}
	return real
}

// sleeper returns an annotated container with the agent's filter, whose program says in the
// file ran, outside the container, that it runs, and then sleeps.
func sleeper(
	t *testing.T, agent *runc.Agent, real runc.Runtime, edit func(*specs.Spec),
) (c *runc.Container, ran string) {
	t.Helper()
	dir := t.TempDir()
	real = guarded(t, agent, real, func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{
			Destination: "/out", Type: "bind", Source: dir, Options: []string{"bind"},
		})
		edit(s)
	})
	c = runc.New(t, runc.Config{
		Runtime: real, Rootfs: runc.Rootfs(t), Seccomp: agent.Profile(t),
		Args:        []string{busybox, "sh", "-c", "echo >/out/ran; exec busybox sleep 600"},
		Annotations: map[string]string{key: "5000"},
	})
	return c, filepath.Join(dir, "ran")
}

func setNoNewPrivileges(on bool) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Process.NoNewPrivileges = on }
}

// forEachLoad runs a test with each OCI runtime, with and without no_new_privs: that decides
// when a runtime loads the filter.
func forEachLoad(t *testing.T, test func(t *testing.T, real runc.Runtime, nnp bool)) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		for name, nnp := range map[string]bool{"privileges": false, "no new privileges": true} {
			t.Run(name, func(t *testing.T) { test(t, real, nnp) })
		}
	})
}

// TestTheGuardLetsAHeldContainerLive shows that the guard finds the filter of a container that
// has it, and its session at the agent, however the container is started.
func TestTheGuardLetsAHeldContainerLive(t *testing.T) {
	forEachLoad(t, func(t *testing.T, real runc.Runtime, nnp bool) {
		agent := runc.StartAgent(t)
		c, ran := sleeper(t, agent, real, setNoNewPrivileges(nnp))
		require.NoError(t, c.Start(t))
		requireServed(t, c, 5000)
		require.FileExists(t, ran)
		c.Delete(t)

		require.NoError(t, c.Create(t))
		time.Sleep(100 * time.Millisecond) // as an engine that prepares more
		require.NoError(t, c.StartCreated(t))
		requireRefused(t, c, 5001)
		requireServed(t, c, 5000)
		require.NotContains(t, agent.Log(t), "killed")

		short := runc.New(t, runc.Config{
			Runtime: guarded(t, agent, real, setNoNewPrivileges(nnp)),
			Rootfs:  runc.Rootfs(t), Args: []string{busybox, "true"},
			Seccomp: agent.Profile(t), Annotations: map[string]string{key: "5000"},
		})
		ended := short.Run(t)
		require.Zero(t, ended.Code, "a program that ends at once: %s", ended.Stderr)
	})
}

// requireKilled requires that the container's process ends, which would sleep for minutes, and
// that the agent's log names the container and the reason.
func requireKilled(t *testing.T, agent *runc.Agent, c *runc.Container, reason string) {
	t.Helper()
	require.Eventually(t, func() bool { return !c.Runs(t) }, time.Minute, 5*time.Millisecond,
		"the process of a container that nothing holds to its ports still runs")
	logged := agent.LogsOf(t, c)
	require.Contains(t, logged, "the guard killed the container")
	require.Contains(t, logged, reason)
}

// TestTheGuardKillsAContainerThatLostTheFilter shows that the guard trusts the process, and not
// the config.json.
func TestTheGuardKillsAContainerThatLostTheFilter(t *testing.T) {
	forEachLoad(t, func(t *testing.T, real runc.Runtime, nnp bool) {
		agent, other := runc.StartAgent(t), runc.StartAgent(t)
		for name, test := range map[string]struct {
			edit   func(*specs.Spec)
			reason string
		}{
			"no filter": {
				func(s *specs.Spec) { s.Linux.Seccomp = nil }, "loaded no seccomp filter",
			},
			"the listener of another supervisor": {
				func(s *specs.Spec) { s.Linux.Seccomp.ListenerPath = other.Socket },
				"did not send the filter's notify fd",
			},
			"a filter that notifies nobody": {
				func(s *specs.Spec) {
					s.Linux.Seccomp = &specs.LinuxSeccomp{
						DefaultAction: specs.ActAllow,
						Syscalls: []specs.LinuxSyscall{
							{Names: []string{"reboot"}, Action: specs.ActErrno},
						},
					}
				},
				"did not send the filter's notify fd",
			},
		} {
			t.Run(name, func(t *testing.T) {
				c, ran := sleeper(t, agent, real, func(s *specs.Spec) {
					setNoNewPrivileges(nnp)(s)
					test.edit(s)
				})
				err := c.CreateAndStart(t)
				requireKilled(t, agent, c, test.reason)
				if real.Path != "/usr/bin/crun" { // which ignores the failure of the hook
					require.ErrorContains(t, err, "nothing holds the container's process")
					require.NoFileExists(t, ran, "the program of the container ran")
				}
			})
		}
	})
}

// TestTheGuardSeesWhatCrunReads shows that a config.json with a filter for programs that ignore
// the case of a key, and none for crun, does not give a container without a filter.
func TestTheGuardSeesWhatCrunReads(t *testing.T) {
	agent := runc.StartAgent(t)
	c, _ := sleeper(t, agent, runc.Crun(t), func(*specs.Spec) {})
	text := strings.Replace(configOf(t, c), `"seccomp":`, `"Seccomp":`, 1)
	require.NoError(t, os.WriteFile(c.ConfigFile(), []byte(text), 0o600))
	_ = c.CreateAndStart(t)
	requireKilled(t, agent, c, "loaded no seccomp filter")
}

// dropsFilter is an OCI runtime that takes the filter out of config.json, and becomes the one
// that REAL names.
const dropsFilter = `#!/usr/bin/python3
import json, os, sys
if "--bundle" in sys.argv:
    path = os.path.join(sys.argv[sys.argv.index("--bundle") + 1], "config.json")
    with open(path) as file: config = json.load(file)
    del config["linux"]["seccomp"]
    with open(path, "w") as file: json.dump(config, file)
os.execv(os.environ["REAL"], [os.environ["REAL"]] + sys.argv[1:])
`

// TestTheShimDoesNotTrustTheRuntime shows that the shim gives its containers the guard that
// looks at the process: a runtime that drops the filter starts no container that runs on.
func TestTheShimDoesNotTrustTheRuntime(t *testing.T) {
	forEachRuntime(t, func(t *testing.T, real runc.Runtime) {
		agent := runc.StartAgent(t)
		path := filepath.Join(t.TempDir(), "runtime")
		require.NoError(t, os.WriteFile(path, []byte(dropsFilter), 0o755))
		real.Env = append(real.Env, "REAL="+real.Path)
		real.Path = path
		c := behindShim(t, agent, real, "5000", busybox, "sleep", "600")
		_ = c.CreateAndStart(t)
		requireKilled(t, agent, c, "loaded no seccomp filter")
	})
}

// TestTheGuardNeedsTheAgent shows that a container whose agent is gone does not start.
func TestTheGuardNeedsTheAgent(t *testing.T) {
	agent := runc.StartAgent(t)
	c, _ := sleeper(t, agent, runc.Crun(t), func(*specs.Spec) {})
	require.NoError(t, c.Create(t))
	agent.Stop(t)
	_ = c.StartCreated(t)
	require.False(t, c.Runs(t), "the container runs without an agent")
}

// askAsAnyone is a program that sends the agent a guard's question, and prints the answer.
const askAsAnyone = `import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.send(b'{"inquiry":{"container":"any","pid":1}}')
print(s.recv(100))`

// TestTheAgentAnswersNoOtherUser shows that only root and the agent's own user may ask, even
// where another user can reach the socket.
func TestTheAgentAnswersNoOtherUser(t *testing.T) {
	agent := runc.StartAgent(t)
	require.NoError(t, os.Chmod(agent.Socket, 0o666))
	ask := func(user string) string {
		return runc.Finish(t, exec.Command("setpriv", "--reuid", user, "--clear-groups", "--",
			"/usr/bin/python3", "-c", askAsAnyone, agent.Socket)).Stdout
	}
	require.Contains(t, ask("0"), "attached")
	require.NotContains(t, ask("54321"), "attached")
	agent.Await(t, "only root and the agent's own user")
}
