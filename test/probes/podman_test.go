package probes

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// userNamespace is the podman flags that map the container's root to a user without
// privilege on the host.
var userNamespace = []string{"--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"}

// A podman runs the probes in podman containers. All probes with the same ports run
// in one container, one after the other: to start a container for each would take
// most of the time of all tests.
type podman struct {
	stand   *stand
	all     []probe
	profile string
	ran     map[string]string // held, ports and flags → directory with the results
}

// runAll is the shell script that the container's first process runs. It kills a
// probe that runs for longer than a minute.
const runAll = `for name in "$@"; do
	mkdir "/tmp/$name" && cd "/tmp/$name" || exit
	busybox timeout -s KILL 60 "/$name" >"/results/$name.out" 2>"/results/$name.err"
	echo $? >"/results/$name.status"
done`

func startPodman(t *testing.T, s *stand, all []probe) *podman {
	t.Helper()
	p := &podman{
		stand:   s,
		all:     all,
		profile: filepath.Join(s.dir, "profile.json"),
		ran:     map[string]string{},
	}
	text, err := json.Marshal(s.agent.Profile(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(p.profile, text, 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(s.rootfs, "bin"), 0o755))
	require.NoError(t, exec.Command("cp", busybox(t), filepath.Join(s.rootfs, "bin/busybox")).Run())
	return p
}

func busybox(t *testing.T) string {
	path, err := exec.LookPath("busybox")
	require.NoError(t, err)
	return path
}

// run returns the result of one probe. held means under port-restricter.
func (p *podman) run(t *testing.T, one probe, held bool, flags ...string) runc.Result {
	t.Helper()
	key := fmt.Sprint(held, one.ports, flags)
	if p.ran[key] == "" {
		p.ran[key] = p.runLike(t, one, held, flags)
	}
	read := func(kind string) string {
		text, err := os.ReadFile(filepath.Join(p.ran[key], one.name+"."+kind))
		require.NoError(t, err)
		return string(text)
	}
	status, err := strconv.Atoi(strings.TrimSpace(read("status")))
	require.NoError(t, err)
	return runc.Result{Code: status, Stdout: read("out"), Stderr: read("err")}
}

// runLike runs all probes that have the same ports as one, and returns the directory
// with their exit statuses and their output.
func (p *podman) runLike(t *testing.T, one probe, held bool, flags []string) string {
	t.Helper()
	results, err := os.MkdirTemp(p.stand.dir, "results-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(results, 0o777))
	store, err := os.MkdirTemp("", "podman") // podman refuses a path of more than 50 characters
	require.NoError(t, err)
	// conmon runs podman once more, to clean up, after podman has ended. That podman
	// may create files while they are removed.
	defer func() {
		removed := func() bool { return os.RemoveAll(store) == nil }
		require.Eventually(t, removed, time.Minute, 50*time.Millisecond, "remove %s", store)
	}()

	seccomp := "unconfined"
	if held {
		seccomp = p.profile
	}
	args := slices.Concat([]string{
		"--root", filepath.Join(store, "root"), "--runroot", filepath.Join(store, "run"),
		"--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", "runc",
		"run", "--rm", "--network", "none",
		// By default podman sets the highest limits, which a machine may refuse even to root.
		"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096",
		"--tmpfs", "/tmp:mode=1777,exec", "--volume", results + ":/results",
		"--env", "OUTSIDER=" + noProcess, "--security-opt", "seccomp=" + seccomp,
		// The quotation marks are for podman, which splits the value at commas.
		"--annotation", `"port-restricter.port=` + one.ports + `"`,
	}, flags, []string{"--rootfs", p.stand.rootfs, "/bin/busybox", "sh", "-c", runAll, "sh"})
	for _, other := range p.all {
		if other.ports == one.ports {
			args = append(args, other.name)
		}
	}
	command := exec.Command("podman", args...)
	command.WaitDelay = time.Second
	result := runc.Finish(t, command)
	require.Zero(t, result.Code, result.Stderr)
	return results
}
