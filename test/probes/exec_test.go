package probes

import (
	"bytes"
	"context"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestTheCommandLineStartsBesideAProcessThatHangsInExec shows that the command line
// starts while a process of another user hangs in execve(2). Any user can have such a
// process, and a program that reads about it in /proc hangs as well. The command line
// must not, or one user could stop all others from using it.
func TestTheCommandLineStartsBesideAProcessThatHangsInExec(t *testing.T) {
	s := standOf(t, "stuck_exec")
	s.hangInExec(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	commandLine := exec.CommandContext(ctx, s.binary, "-p", "5000", "--", "true")
	require.NoError(t, commandLine.Run(), "the command line did not run within 5 seconds")
}

// Shows that a process that hangs in execve(2) changes nothing for the binds of other
// users and containers: the kernel still runs an AF_UNIX bind of a process with one
// thread itself, so SO_PEERCRED has the pid of the target. A proof that waits for the
// hanging process, or is given up beside it, leaves the call to a helper, which has
// another pid, and not every capability of the target.
func TestAProcessThatHangsInExecSpoilsNobodyElsesProof(t *testing.T) {
	s := standOf(t, "stuck_exec", "unix_peercred_pid")
	s.agent = runc.StartAgent(t)
	victim := s.probes["unix_peercred_pid"]
	everywhere := []string{"cli-root", "cli-user", "runc"}
	hanging := []struct {
		name  string
		start func(*testing.T)
		ways  []string
	}{
		{"a process of root", func(t *testing.T) { s.hangInExec(t) }, everywhere},
		{"a process of another user", func(t *testing.T) { s.hangInExec(t, "65432") }, everywhere},
		{"more processes than scanners may hang",
			func(t *testing.T) { s.hangInExec(t, "0", "100") }, everywhere},
		// Not cli-root: a command of root can be the parent of a container.
		{"a process of another container", s.hangInContainer, []string{"cli-user", "runc"}},
	}
	for _, h := range hanging {
		for _, w := range s.ways() {
			if !slices.Contains(h.ways, w.name) {
				continue
			}
			t.Run(h.name+"/"+w.name, func(t *testing.T) {
				h.start(t)
				got := w.run(t, victim)
				require.Equal(t, holds, got.Code, got.Stderr)
			})
		}
	}
}

// hangInExec makes processes hang in execve(2), outside of port-restricter, for the rest
// of the test. The arguments are those of stuck_exec.c.
func (s *stand) hangInExec(t *testing.T, args ...string) {
	t.Helper()
	hanging := exec.Command(s.program(s.probes["stuck_exec"]), append([]string{"hang"}, args...)...)
	hanging.Dir = t.TempDir()
	awaitHang(t, hanging)
}

// hangInContainer does the same in a container under port-restricter, which may mount a
// FUSE.
func (s *stand) hangInContainer(t *testing.T) {
	t.Helper()
	mayMountFUSE := func(spec *specs.Spec) {
		major, minor := int64(10), int64(229)
		spec.Linux.Devices = append(spec.Linux.Devices,
			specs.LinuxDevice{Path: "/dev/fuse", Type: "c", Major: major, Minor: minor})
		spec.Linux.Resources.Devices = append(spec.Linux.Resources.Devices, specs.LinuxDeviceCgroup{
			Allow: true, Type: "c", Major: &major, Minor: &minor, Access: "rwm",
		})
		capabilities := spec.Process.Capabilities
		for _, set := range []*[]string{
			&capabilities.Bounding, &capabilities.Permitted, &capabilities.Effective,
		} {
			*set = append(*set, "CAP_SYS_ADMIN")
		}
	}
	awaitHang(t, runc.New(t, runc.Config{
		Runtime:     runc.Runtime{Mend: mayMountFUSE},
		Rootfs:      s.rootfs,
		Args:        []string{"/stuck_exec", "hang"},
		Seccomp:     s.agent.Profile(t),
		Annotations: map[string]string{"port-restricter.port": "none"},
	}).RunCommand())
}

// awaitHang starts stuck_exec.c, which writes a byte once its processes hang, and kills it
// at the end of the test.
func awaitHang(t *testing.T, hanging *exec.Cmd) {
	t.Helper()
	ready, err := hanging.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	hanging.Stderr, hanging.WaitDelay = &stderr, time.Second
	require.NoError(t, hanging.Start())
	t.Cleanup(func() {
		_ = hanging.Process.Kill() // it ends by itself after 20 seconds
		_ = hanging.Wait()
	})
	if _, err = ready.Read(make([]byte, 1)); err != nil {
		_ = hanging.Wait()
		require.NoError(t, err, "nothing hangs in execve: %s", &stderr)
	}
}
