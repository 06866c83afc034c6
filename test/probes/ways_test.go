package probes

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// ordinary is the uid of a user without privilege, under which nothing else runs.
const ordinary = 54321

// A way is a way to run a probe: under port-restricter, or, as the baseline, in the
// same place without port-restricter.
type way struct {
	name     string
	baseline string // name of the way to compare with; empty if this way is a baseline itself
	run      func(t *testing.T, p probe) runc.Result
}

// A stand is what all ways share: a directory with the compiled probes, the binary and
// the agent.
type stand struct {
	dir, rootfs, binary string
	probes              map[string]probe
	agent               *runc.Agent
	podman              *podman
}

// program returns the path of a compiled probe. The root directory of containers has
// all of them.
func (s *stand) program(p probe) string { return filepath.Join(s.rootfs, p.name) }

// ways returns all ways, baselines first. The expect markers of probes use these names.
func (s *stand) ways() []way {
	bare := func(uid uint32) func(*testing.T, probe) runc.Result {
		return func(t *testing.T, p probe) runc.Result { return s.onHost(t, p, uid, s.program(p)) }
	}
	commandLine := func(uid uint32) func(*testing.T, probe) runc.Result {
		return func(t *testing.T, p probe) runc.Result { return s.underCLI(t, p, uid) }
	}
	inRunc := func(held bool) func(*testing.T, probe) runc.Result {
		return func(t *testing.T, p probe) runc.Result { return s.inContainer(t, p, held) }
	}
	inPodman := func(held bool, flags ...string) func(*testing.T, probe) runc.Result {
		return func(t *testing.T, p probe) runc.Result { return s.podman.run(t, p, held, flags...) }
	}
	return []way{
		{"bare", "", bare(0)},
		{"bare-user", "", bare(ordinary)},
		{"bare-runc", "", inRunc(false)},
		{"bare-podman", "", inPodman(false)},
		{"bare-podman-userns", "", inPodman(false, userNamespace...)},
		{"cli-root", "bare", commandLine(0)},
		{"cli-user", "bare-user", commandLine(ordinary)},
		{"runc", "bare-runc", inRunc(true)},
		{"podman", "bare-podman", inPodman(true)},
		{"podman-userns", "bare-podman-userns", inPodman(true, userNamespace...)},
	}
}

// underCLI runs the probe under the command line.
func (s *stand) underCLI(t *testing.T, p probe, uid uint32) runc.Result {
	return s.onHost(t, p, uid, s.binary, "-p", p.ports, "--", s.program(p))
}

// onHost runs a command as a user, in an empty directory that belongs to the user.
func (s *stand) onHost(t *testing.T, p probe, uid uint32, command ...string) runc.Result {
	t.Helper()
	return s.start(t, uid, &syscall.Credential{Uid: uid, Gid: uid}, command...)
}

// as runs a command by which root becomes a user, in the same way.
func (s *stand) as(t *testing.T, uid uint32, command ...string) runc.Result {
	t.Helper()
	return s.start(t, uid, nil, command...)
}

func (s *stand) start(
	t *testing.T, uid uint32, credential *syscall.Credential, command ...string,
) runc.Result {
	t.Helper()
	dir, err := os.MkdirTemp(s.dir, "cwd-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chown(dir, int(uid), int(uid)))
	ctx, cancel := context.WithTimeout(context.Background(), runc.AtMost(time.Minute))
	defer cancel()
	probe := exec.CommandContext(ctx, command[0], command[1:]...)
	probe.Dir, probe.WaitDelay = dir, time.Second
	probe.Env = []string{fmt.Sprintf("OUTSIDER=%d", s.outsider(t, uid)), runc.Slowness()}
	probe.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true,
		Credential: credential,
	}
	probe.Cancel = func() error { return syscall.Kill(-probe.Process.Pid, syscall.SIGKILL) }
	return runc.Finish(t, probe)
}

// outsider starts a process of the user, outside of port-restricter, that has a
// listening socket at a port which no probe may bind. Probes try to take the socket.
func (s *stand) outsider(t *testing.T, uid uint32) (pid int) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	defer file.Close()
	sleeper := exec.Command("sleep", "infinity")
	sleeper.ExtraFiles = []*os.File{file}
	sleeper.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	require.NoError(t, sleeper.Start())
	t.Cleanup(func() {
		_ = sleeper.Process.Kill()
		_ = sleeper.Wait()
	})
	return sleeper.Process.Pid
}

// noProcess is a pid that a probe in a container does not find: the outsider is not in
// the container.
const noProcess = "1000000"

// inContainer runs the probe as the first process of a runc container. held means under
// port-restricter.
func (s *stand) inContainer(t *testing.T, p probe, held bool) runc.Result {
	t.Helper()
	c := runc.Config{
		Rootfs: s.rootfs,
		Args:   []string{"/" + p.name},
		Env:    []string{"OUTSIDER=" + noProcess, runc.Slowness()},
	}
	if held {
		if s.agent == nil {
			t.Fatal("the agent was not started")
		}
		c.Seccomp = s.agent.Profile(t)
		c.Annotations = map[string]string{"port-restricter.port": p.ports}
	}
	result := runc.New(t, c).Run(t)
	require.False(t, strings.Contains(result.Stderr, "level=error"),
		"runc failed, not the probe: %s", result.Stderr)
	return result
}
