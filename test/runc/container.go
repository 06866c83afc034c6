// Package runc is test support. It runs real containers by runc and crun, and the agent
// to which they attach, and removes everything after the test.
//
// New makes a Container from a Config, and a Runtime says which OCI runtime runs it, with
// or without the runtime shim. StartAgent and its variants start an Agent, with the
// privileges of the systemd unit or with others. A World is a mount namespace in which a
// test may change /etc, /run and /sys/fs/cgroup. Finish runs any command to its end. A function
// that returns no error fails the test if it cannot do its work.
package runc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// patience bounds every command. A command that takes longer is taken to hang.
var patience = AtMost(time.Minute)

// slownessVariable is an environment variable: by how much this machine is slower than a real
// one. test/kernels sets it in its emulated machines, where the C probes read it, too.
const slownessVariable = "SLOWNESS"

// Slowness returns what to add to the environment of a container, for the probes in it.
func Slowness() string { return slownessVariable + "=" + cmp.Or(os.Getenv(slownessVariable), "1") }

// AtMost returns how long something may take for which d is enough on a real machine.
func AtMost(d time.Duration) time.Duration {
	if slowness, err := strconv.Atoi(os.Getenv(slownessVariable)); err == nil {
		d *= time.Duration(slowness)
	}
	return d
}

// Config says in what a container differs from that of `runc spec`.
type Config struct {
	Runtime     Runtime
	Rootfs      string
	Args        []string
	Env         []string
	Seccomp     *specs.LinuxSeccomp
	Annotations map[string]string
}

// A Container is a container with a bundle and a state directory of its own. It is deleted
// after the test.
type Container struct {
	id, dir string
	runtime Runtime
}

var made atomic.Int32 // containers, so that each gets another id

// New writes the bundle of a container, which is not created yet. The working directory of
// its processes is a tmpfs, /tmp.
func New(t testing.TB, c Config) *Container {
	t.Helper()
	container := &Container{
		id:      fmt.Sprintf("port-restricter-test-%d-%d", os.Getpid(), made.Add(1)),
		dir:     t.TempDir(),
		runtime: c.Runtime,
	}
	spec := exec.Command("runc", "spec")
	spec.Dir = container.dir
	out, err := spec.CombinedOutput()
	require.NoError(t, err, "runc spec: %s", out)

	text, err := os.ReadFile(container.ConfigFile())
	require.NoError(t, err)
	var s specs.Spec
	require.NoError(t, json.Unmarshal(text, &s))
	s.Root.Path = c.Rootfs
	s.Process.Terminal, s.Process.Args, s.Process.Cwd = false, c.Args, "/tmp"
	s.Process.Env = append(s.Process.Env, c.Env...)
	s.Mounts = append(s.Mounts, specs.Mount{
		Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=1777"},
	})
	s.Linux.Seccomp, s.Annotations = c.Seccomp, c.Annotations
	if c.Runtime.Mend != nil {
		c.Runtime.Mend(&s)
	}
	text, err = json.Marshal(s)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(container.ConfigFile(), text, 0o600))
	t.Cleanup(func() { container.Delete(t) })
	return container
}

// command returns a command of the OCI runtime, with the container's state directory.
func (c *Container) command(ctx context.Context, args ...string) *exec.Cmd {
	argv := c.runtime.argv(append([]string{"--root", filepath.Join(c.dir, "state")}, args...)...)
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Env = append(os.Environ(), c.runtime.Env...)
	command.WaitDelay = time.Second
	return command
}

// ConfigFile returns the path of the bundle's config.json.
func (c *Container) ConfigFile() string { return filepath.Join(c.dir, "config.json") }

// A Result is the exit status and the output of a command that has ended.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Finish runs a command to its end, whatever its exit status. It fails the test if the
// command could not be run.
func Finish(t testing.TB, command *exec.Cmd) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		require.NoError(t, err, "%s: %s", command, &stderr)
	}
	return Result{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// Run creates and starts the container, and waits for its end.
func (c *Container) Run(t testing.TB) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return Finish(t, c.command(ctx, "run", "--bundle", c.dir, c.id))
}

// RunCommand returns the command by which Run runs the container. The caller starts it.
func (c *Container) RunCommand() *exec.Cmd {
	return c.command(context.Background(), "run", "--bundle", c.dir, c.id)
}

// Start creates and starts the container in one step, and leaves it running. The error
// contains the output of the OCI runtime.
func (c *Container) Start(t testing.TB) error {
	t.Helper()
	return c.detached(t, "run", "--detach", "--bundle", c.dir, c.id)
}

// CreateAndStart creates and starts the container in two steps, like an engine, and leaves
// it running. The error contains the output of the OCI runtime.
func (c *Container) CreateAndStart(t testing.TB) error {
	t.Helper()
	if err := c.Create(t); err != nil {
		return err
	}
	return c.StartCreated(t)
}

// StartCreated starts the container after Create. The error contains the output of the OCI
// runtime.
func (c *Container) StartCreated(t testing.TB) error {
	t.Helper()
	return c.detached(t, "start", c.id)
}

// Create creates the container, and does not start it. The error contains the output of the
// OCI runtime.
func (c *Container) Create(t testing.TB) error {
	t.Helper()
	return c.detached(t, "create", "--bundle", c.dir, c.id)
}

// Delete kills and deletes the container. Its bundle stays, and it can be created again.
func (c *Container) Delete(t testing.TB) {
	t.Helper()
	out, err := c.command(context.Background(), "delete", "--force", c.id).CombinedOutput()
	require.NoError(t, err, "delete: %s", out)
}

// detached runs a command of the OCI runtime that leaves processes running.
func (c *Container) detached(t testing.TB, args ...string) error {
	t.Helper()
	// The output goes to a file: the container would keep the write end of a pipe open.
	log, err := os.Create(filepath.Join(c.dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := c.command(ctx, args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Run(); err != nil {
		output, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w: %s", args[0], err, output)
	}
	return nil
}

// Exec returns a command that runs another process in the running container. The caller
// starts it.
func (c *Container) Exec(t testing.TB, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return c.command(ctx, append([]string{"exec", c.id}, args...)...)
}

// Pid returns the id of the container's first process, in the host's pid namespace.
func (c *Container) Pid(t testing.TB) int {
	t.Helper()
	return c.State(t).Pid
}

// State returns the state of the container, which the OCI runtime tells.
func (c *Container) State(t testing.TB) specs.State {
	t.Helper()
	out, err := c.command(context.Background(), "state", c.id).Output()
	require.NoError(t, err)
	var state specs.State
	require.NoError(t, json.Unmarshal(out, &state))
	return state
}

// Runs reports whether the container's first process exists, in a container that was created or
// started. A container that the OCI runtime does not know does not run.
func (c *Container) Runs(t testing.TB) bool {
	t.Helper()
	out, err := c.command(context.Background(), "state", c.id).Output()
	if err != nil {
		return false
	}
	var state specs.State
	require.NoError(t, json.Unmarshal(out, &state))
	return state.Status != specs.StateStopped
}

// Rootfs returns a new root directory that contains only a static busybox, in /bin.
func Rootfs(t testing.TB) string {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	require.NoError(t, err)
	program, err := os.ReadFile(busybox)
	require.NoError(t, err)
	rootfs := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(rootfs, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(rootfs, "bin/busybox"), program, 0o755))
	return rootfs
}
