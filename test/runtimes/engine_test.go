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

// A podmanEngine is a podman with a store, a configuration and, unless its
// world is nil, a /run and an /etc of its own.
type podmanEngine struct {
	world  *runc.World
	global []string // the options of every command
	run    []string // the options of every run
	env    []string
	limit  string // of a command's time
}

// newPodman is podman with the OCI runtime that it knows by that name.
func newPodman(t *testing.T, runtime string, world *runc.World) *podmanEngine {
	t.Helper()
	store, err := os.MkdirTemp("", "podman") // podman takes 50 characters at the most
	require.NoError(t, err)
	p := &podmanEngine{
		world: world,
		global: []string{"--root", filepath.Join(store, "root"), "--runroot", filepath.Join(store, "run"), "--storage-driver", "vfs",
			"--cgroup-manager", "cgroupfs", "--runtime", runtime},
		// podman asks for the largest limits, which a machine may refuse to root.
		run:   []string{"--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"},
		limit: "60",
	}
	t.Cleanup(func() {
		out := p.command("rm", "--force", "--all", "--time", "0")
		require.Zero(t, runc.Finish(t, out).Code)
		// conmon has podman clean up once more after podman has ended.
		require.Eventually(t, func() bool { return !anyProcessNames(store) }, time.Minute, 50*time.Millisecond)
		require.NoError(t, os.RemoveAll(store))
	})
	return p
}

func (p *podmanEngine) command(args ...string) *exec.Cmd {
	argv := p.world.Enter(append(append([]string{"timeout", p.limit, "podman"}, p.global...), args...)...)
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(os.Environ(), p.env...)
	return command
}

func (p *podmanEngine) do(t *testing.T, args ...string) runc.Result {
	t.Helper()
	return runc.Finish(t, p.command(args...))
}

// container runs one to its end.
func (p *podmanEngine) container(t *testing.T, args ...string) runc.Result {
	t.Helper()
	return p.do(t, append(append([]string{"run", "--rm"}, p.run...), args...)...)
}

// listen runs a container that listens for a second. timeout(1) isn't its first
// process, which SIGTERM doesn't end.
func (p *podmanEngine) listen(t *testing.T, port string, options ...string) runc.Result {
	t.Helper()
	rootfs := runc.Rootfs(t)
	// root of a user namespace must get there, and make mount points.
	require.NoError(t, os.Chmod(filepath.Dir(rootfs), 0o711))
	for _, dir := range []string{"", "etc", "run"} {
		path := filepath.Join(rootfs, dir)
		require.NoError(t, os.MkdirAll(path, 0o777))
		require.NoError(t, os.Chmod(path, 0o777))
	}
	return p.container(t, append(options, "--rootfs", rootfs, busybox, "sh", "-c", "busybox timeout 1 busybox nc -l -p "+port+"; exit $?")...)
}

// listened is the status of what listened until timeout(1) ended it.
const listened = 143

func anyProcessNames(text string) bool {
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		if command, err := os.ReadFile(path); err == nil && bytes.Contains(command, []byte(text)) {
			return true
		}
	}
	return false
}

// configure gives podman a containers.conf that knows our shim by a name.
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

// worldFor is where podman runs containers by an OCI runtime, with our settings
// for the shim in front of it.
func worldFor(t *testing.T, runtime string, agent *runc.Agent) *runc.World {
	t.Helper()
	return runc.NewWorld(t, runc.World{
		Cgroup2:  runtime == "crun",
		Settings: fmt.Sprintf("runtime = %q\nlistener = %q\n", runtime, agent.Socket),
	})
}

// behindShim is podman with the shim before a runtime.
func podmanBehindShim(t *testing.T, runtime string, agent *runc.Agent) *podmanEngine {
	t.Helper()
	p := newPodman(t, shimName, worldFor(t, runtime, agent))
	p.configure(t, runc.Shim(t))
	p.mend(runtime)
	return p
}

// mend: crun may have no right to filter devices.
func (p *podmanEngine) mend(runtime string) {
	if runtime == "crun" {
		p.run = append(p.run, "--cgroups", "disabled")
	}
}

// withHook is podman with one hooks.d file, for annotated containers, and no shim.
func podmanWithHook(t *testing.T, runtime, stage string, agent *runc.Agent) *podmanEngine {
	t.Helper()
	p := newPodman(t, runtime, worldFor(t, runtime, agent))
	p.mend(runtime)
	type object = map[string]any
	text, err := json.Marshal(object{
		"version": "1.0.0",
		"hook":    object{"path": runc.Binary(t), "args": []string{"port-restricter", "hook", stage, "--listener", agent.Socket}},
		"when":    object{"annotations": object{`^port-restricter\.`: ".*"}},
		"stages":  []string{stage},
	})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "port-restricter.json"), text, 0o600))
	p.global = append(p.global, "--hooks-dir", dir)
	return p
}
