package runtimes

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

func podman(t *testing.T, args ...string) runc.Result {
	t.Helper()
	return podmanIn(t, nil, "runc", args...)
}

// podmanIn runs a container whose store is its own.
func podmanIn(t *testing.T, world *runc.World, runtime string, args ...string) runc.Result {
	t.Helper()
	store, err := os.MkdirTemp("", "podman") // podman takes 50 characters at the most
	require.NoError(t, err)
	t.Cleanup(func() {
		// conmon has podman clean up once more after podman has ended.
		require.Eventually(t, func() bool { return !anyProcessNames(store) }, time.Minute, 50*time.Millisecond)
		require.NoError(t, os.RemoveAll(store))
	})
	global := []string{"--root", filepath.Join(store, "root"), "--runroot", filepath.Join(store, "run"), "--storage-driver", "vfs",
		"--cgroup-manager", "cgroupfs", "--runtime", runtime}
	// podman asks for the largest limits, which a machine may refuse to root.
	run := []string{"run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"}
	command := world.Enter(slices.Concat([]string{"podman"}, global, run, args)...)
	return runc.Finish(t, exec.Command(command[0], command[1:]...))
}

func anyProcessNames(text string) bool {
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		if command, err := os.ReadFile(path); err == nil && bytes.Contains(command, []byte(text)) {
			return true
		}
	}
	return false
}

func TestAPodmanContainerIsHeldByProfileAndAnnotation(t *testing.T) {
	agent := runc.StartAgent(t)
	profile := filepath.Join(t.TempDir(), "port-restricter.json")
	text, err := json.Marshal(agent.Profile(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(profile, text, 0o644))
	listen := func(port, listenOn string) runc.Result {
		return podman(t, "--security-opt", "seccomp="+profile, "--annotation", key+"="+port, "--rootfs", runc.Rootfs(t),
			// Not as its first process, which SIGTERM doesn't end.
			busybox, "sh", "-c", "busybox timeout 2 busybox nc -l -p "+listenOn+"; exit $?")
	}

	refused := listen("5000", "5001")
	require.Contains(t, refused.Stderr, refusal)
	served := listen("5000", "5000")
	require.Equal(t, 143, served.Code, "it listened until timeout(1) ended it: %s", served.Stderr)

	agent.Stop(t)
	require.Contains(t, listen("5000", "5000").Stderr, "agent", "without an agent no container starts")
}
