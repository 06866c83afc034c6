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

// userNamespace maps the container's root to a user that is nobody.
var userNamespace = []string{"--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"}

// A podman runs all probes of the same ports one after the other in one
// container: to start one for each would take most of the time of all tests.
type podman struct {
	stand   *stand
	all     []probe
	profile string
	ran     map[string]string // what was asked for → directory with the results
}

// runAll is the container's first process. No probe may outlast it.
const runAll = `for name in "$@"; do
	mkdir "/tmp/$name" && cd "/tmp/$name" || exit
	busybox timeout -s KILL 60 "/$name" >"/results/$name.out" 2>"/results/$name.err"
	echo $? >"/results/$name.status"
done`

func startPodman(t *testing.T, s *stand, all []probe) *podman {
	t.Helper()
	p := &podman{stand: s, all: all, profile: filepath.Join(s.dir, "profile.json"), ran: map[string]string{}}
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

// runLike runs the probes of the same ports as one, and returns the directory
// of what they said.
func (p *podman) runLike(t *testing.T, one probe, held bool, flags []string) string {
	t.Helper()
	results, err := os.MkdirTemp(p.stand.dir, "results-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(results, 0o777))
	store, err := os.MkdirTemp("", "podman") // podman takes 50 characters at the most
	require.NoError(t, err)
	// conmon has podman clean up once more after podman has ended.
	defer func() {
		require.Eventually(t, func() bool { return os.RemoveAll(store) == nil }, time.Minute, 50*time.Millisecond)
	}()

	seccomp := "unconfined"
	if held {
		seccomp = p.profile
	}
	args := slices.Concat([]string{"--root", filepath.Join(store, "root"), "--runroot", filepath.Join(store, "run"), "--storage-driver", "vfs",
		"--cgroup-manager", "cgroupfs", "--runtime", "runc", "run", "--rm", "--network", "none",
		// podman asks for the largest limits, which a machine may refuse to root.
		"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096",
		"--tmpfs", "/tmp:mode=1777,exec", "--volume", results + ":/results", "--env", "OUTSIDER=1000000",
		"--security-opt", "seccomp=" + seccomp, "--annotation", `"port-restricter.port=` + one.ports + `"`}, flags, // quoted: podman splits at commas
		[]string{"--rootfs", p.stand.rootfs, "/bin/busybox", "sh", "-c", runAll, "sh"})
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
