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

// ordinary is a user that nothing else runs as.
const ordinary = 54321

// A way is a place in which probes run: held to their ports, or, to be compared
// with, the same place without us.
type way struct {
	name     string
	baseline string // of a way that is held
	run      func(t *testing.T, p probe) runc.Result
}

// A stand is what all ways share: the compiled probes, in a root directory.
type stand struct {
	dir, rootfs, binary string
	agent               *runc.Agent
	podman              *podman
}

func (s *stand) program(p probe) string { return filepath.Join(s.rootfs, p.name) }

func (s *stand) ways() []way {
	return []way{
		{"bare", "", func(t *testing.T, p probe) runc.Result { return s.onHost(t, p, 0, s.program(p)) }},
		{"bare-user", "", func(t *testing.T, p probe) runc.Result { return s.onHost(t, p, ordinary, s.program(p)) }},
		{"bare-runc", "", func(t *testing.T, p probe) runc.Result { return s.inContainer(t, p, false) }},
		{"bare-podman", "", func(t *testing.T, p probe) runc.Result { return s.podman.run(t, p, false) }},
		{"bare-podman-userns", "", func(t *testing.T, p probe) runc.Result { return s.podman.run(t, p, false, userNamespace...) }},
		{"cli-root", "bare", func(t *testing.T, p probe) runc.Result { return s.underCLI(t, p, 0) }},
		{"cli-user", "bare-user", func(t *testing.T, p probe) runc.Result { return s.underCLI(t, p, ordinary) }},
		{"runc", "bare-runc", func(t *testing.T, p probe) runc.Result { return s.inContainer(t, p, true) }},
		{"podman", "bare-podman", func(t *testing.T, p probe) runc.Result { return s.podman.run(t, p, true) }},
		{"podman-userns", "bare-podman-userns", func(t *testing.T, p probe) runc.Result { return s.podman.run(t, p, true, userNamespace...) }},
	}
}

func (s *stand) underCLI(t *testing.T, p probe, uid uint32) runc.Result {
	return s.onHost(t, p, uid, s.binary, "-p", p.ports, "--", s.program(p))
}

// onHost runs a command in an empty directory of its user.
func (s *stand) onHost(t *testing.T, p probe, uid uint32, command ...string) runc.Result {
	t.Helper()
	dir, err := os.MkdirTemp(s.dir, "cwd-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chown(dir, int(uid), int(uid)))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	probe := exec.CommandContext(ctx, command[0], command[1:]...)
	probe.Dir, probe.WaitDelay = dir, time.Second
	probe.Env = []string{fmt.Sprintf("OUTSIDER=%d", s.outsider(t, uid))}
	probe.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	probe.Cancel = func() error { return syscall.Kill(-probe.Process.Pid, syscall.SIGKILL) }
	return runc.Finish(t, probe)
}

// outsider is a process of the same user that holds a listener at a port which
// no probe may bind.
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

// inContainer runs the probe as the first process of a runc container.
func (s *stand) inContainer(t *testing.T, p probe, held bool) runc.Result {
	t.Helper()
	c := runc.Config{Rootfs: s.rootfs, Args: []string{"/" + p.name}, Env: []string{"OUTSIDER=1000000"}}
	if held {
		if s.agent == nil {
			t.Fatal("no agent")
		}
		c.Seccomp, c.Annotations = s.agent.Profile(t), map[string]string{"port-restricter.port": p.ports}
	}
	result := runc.New(t, c).Run(t)
	require.False(t, strings.Contains(result.Stderr, "level=error"), "runc: %s", result.Stderr)
	return result
}
