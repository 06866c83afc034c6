package runtimes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// A podmanEngine is podman with a store and a configuration of its own. It runs in a World,
// unless world is nil.
type podmanEngine struct {
	world  *runc.World
	global []string // the options of every command
	run    []string // the further options of podman run
	env    []string // added to the test's environment
	limit  string   // the time that a command may take, in seconds
}

// newPodman returns podman with the OCI runtime that podman knows by the given name.
func newPodman(t *testing.T, runtime string, world *runc.World) *podmanEngine {
	t.Helper()
	store, err := os.MkdirTemp("", "podman") // short: podman allows 50 characters
	require.NoError(t, err)
	p := &podmanEngine{
		world: world,
		global: []string{
			"--root", filepath.Join(store, "root"), "--runroot", filepath.Join(store, "run"),
			"--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", runtime,
		},
		// By default podman sets the largest limits, which a machine may refuse even to root.
		run: []string{
			"--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
		},
		limit: "60",
	}
	t.Cleanup(func() {
		remove := p.command("rm", "--force", "--all", "--time", "0")
		require.Zero(t, runc.Finish(t, remove).Code)
		// conmon runs podman once more to clean up, after podman has ended.
		require.Eventually(t, func() bool {
			return !anyProcessNames(store)
		}, time.Minute, 50*time.Millisecond, "podman or conmon still uses the store")
		require.NoError(t, os.RemoveAll(store))
	})
	return p
}

// command returns a command of podman, with podman's global options.
func (p *podmanEngine) command(args ...string) *exec.Cmd {
	podman := append([]string{"timeout", p.limit, "podman"}, p.global...)
	argv := p.world.Enter(append(podman, args...)...)
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(os.Environ(), p.env...)
	return command
}

// do runs a command of podman to its end.
func (p *podmanEngine) do(t *testing.T, args ...string) runc.Result {
	t.Helper()
	return runc.Finish(t, p.command(args...))
}

// container runs a container to its end.
func (p *podmanEngine) container(t *testing.T, args ...string) runc.Result {
	t.Helper()
	return p.do(t, append(append([]string{"run", "--rm"}, p.run...), args...)...)
}

// listen runs a container that listens on a port for a second. A shell is the container's
// first process, and not timeout(1), because SIGTERM does not end the first process.
func (p *podmanEngine) listen(t *testing.T, port string, options ...string) runc.Result {
	t.Helper()
	rootfs := runc.Rootfs(t)
	// root of a user namespace must be able to reach rootfs and to make mount points in it.
	require.NoError(t, os.Chmod(filepath.Dir(rootfs), 0o711))
	for _, dir := range []string{"", "etc", "run"} {
		path := filepath.Join(rootfs, dir)
		require.NoError(t, os.MkdirAll(path, 0o777))
		require.NoError(t, os.Chmod(path, 0o777))
	}
	script := "busybox timeout 1 busybox nc -l -p " + port + "; exit $?"
	return p.container(t, append(options, "--rootfs", rootfs, busybox, "sh", "-c", script)...)
}

// listened is the exit status of a process that listened until timeout(1) ended it, by
// SIGTERM: 128 + 15.
const listened = 143

// anyProcessNames reports whether the command line of any process contains a text.
func anyProcessNames(text string) bool {
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		command, err := os.ReadFile(path)
		if err == nil && bytes.Contains(command, []byte(text)) {
			return true
		}
	}
	return false
}

// configure gives podman a containers.conf in which the shim at the path link is an OCI
// runtime named shimName.
func (p *podmanEngine) configure(t *testing.T, link string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "containers.conf")
	text := fmt.Sprintf(`[engine]
runtime_supports_json = ["runc", "crun", %[1]q]
runtime_supports_nocgroup = ["crun", %[1]q]
[engine.runtimes]
%[1]s = [%[2]q]
`, shimName, link)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	p.env = append(p.env, "CONTAINERS_CONF="+path)
}

const shimName = "port-restricter"

// worldFor returns a World in which podman can run containers by an OCI runtime. Its
// config.toml has the settings of a shim in front of that runtime.
func worldFor(t *testing.T, runtime string, agent *runc.Agent) *runc.World {
	t.Helper()
	return runc.NewWorld(t, runc.World{
		Cgroup2:  runtime == "crun",
		Settings: fmt.Sprintf("runtime = %q\nlistener = %q\n", runtime, agent.Socket),
	})
}

// podmanBehindShim returns podman with the shim in front of an OCI runtime.
func podmanBehindShim(t *testing.T, runtime string, agent *runc.Agent) *podmanEngine {
	t.Helper()
	p := newPodman(t, shimName, worldFor(t, runtime, agent))
	p.configure(t, runc.Shim(t))
	p.disableCgroups(runtime)
	return p
}

// disableCgroups turns cgroups off for crun, which may have no right to filter devices.
func (p *podmanEngine) disableCgroups(runtime string) {
	if runtime == "crun" {
		p.run = append(p.run, "--cgroups", "disabled")
	}
}

// podmanWithHook returns podman without the shim, but with a hooks.d file that runs a hook
// of port-restricter for annotated containers.
func podmanWithHook(t *testing.T, runtime, stage string, agent *runc.Agent) *podmanEngine {
	t.Helper()
	p := newPodman(t, runtime, worldFor(t, runtime, agent))
	p.disableCgroups(runtime)
	type object = map[string]any
	text, err := json.Marshal(object{
		"version": "1.0.0",
		"hook": object{
			"path": runc.Binary(t),
			"args": []string{"port-restricter", "hook", stage, "--listener", agent.Socket},
		},
		"when":   object{"annotations": object{`^port-restricter\.`: ".*"}},
		"stages": []string{stage},
	})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "port-restricter.json"), text, 0o600))
	p.global = append(p.global, "--hooks-dir", dir)
	return p
}
