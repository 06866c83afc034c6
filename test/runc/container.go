// Package runc runs real containers of runc and crun for the tests and leaves
// nothing of them behind, and the agent that they are attached to.
package runc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// patience bounds every command: what takes longer hangs.
const patience = time.Minute

// Config says in which way a container differs from that of `runc spec`.
type Config struct {
	Runtime     Runtime
	Rootfs      string
	Args        []string
	Env         []string
	Seccomp     *specs.LinuxSeccomp
	Annotations map[string]string
}

// A Container has a state directory of its own, and is deleted with the test.
type Container struct {
	id, dir string
	runtime Runtime
}

var made atomic.Int32

// New writes the container's bundle. Its working directory is a tmpfs.
func New(t testing.TB, c Config) *Container {
	t.Helper()
	container := &Container{id: fmt.Sprintf("port-restricter-test-%d-%d", os.Getpid(), made.Add(1)), dir: t.TempDir(), runtime: c.Runtime}
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
	s.Mounts = append(s.Mounts, specs.Mount{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"mode=1777"}})
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

func (c *Container) command(ctx context.Context, args ...string) *exec.Cmd {
	argv := c.runtime.argv(append([]string{"--root", filepath.Join(c.dir, "state")}, args...)...)
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Env = append(os.Environ(), c.runtime.Env...)
	command.WaitDelay = time.Second
	return command
}

// ConfigFile is the bundle's config.json.
func (c *Container) ConfigFile() string { return filepath.Join(c.dir, "config.json") }

// Result is how a command ended.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Finish runs the command to its end.
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

// Run runs the container to its end.
func (c *Container) Run(t testing.TB) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return Finish(t, c.command(ctx, "run", "--bundle", c.dir, c.id))
}

// RunCommand is Run, to be called by somebody else.
func (c *Container) RunCommand() *exec.Cmd {
	return c.command(context.Background(), "run", "--bundle", c.dir, c.id)
}

// Start leaves the container running. What the runtime says stands in the error.
func (c *Container) Start(t testing.TB) error {
	t.Helper()
	return c.detached(t, "run", "--detach", "--bundle", c.dir, c.id)
}

// CreateAndStart is Start in two steps, as engines do it.
func (c *Container) CreateAndStart(t testing.TB) error {
	t.Helper()
	if err := c.Create(t); err != nil {
		return err
	}
	return c.detached(t, "start", c.id)
}

// Create is its first step.
func (c *Container) Create(t testing.TB) error {
	t.Helper()
	return c.detached(t, "create", "--bundle", c.dir, c.id)
}

// Delete kills the container, and leaves its bundle.
func (c *Container) Delete(t testing.TB) {
	t.Helper()
	out, err := c.command(context.Background(), "delete", "--force", c.id).CombinedOutput()
	require.NoError(t, err, "delete: %s", out)
}

func (c *Container) detached(t testing.TB, args ...string) error {
	t.Helper()
	// A file, since the container keeps the write end of a pipe open.
	log, err := os.Create(filepath.Join(c.dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	command := c.command(ctx, args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w: %s", args[0], err, said)
	}
	return nil
}

// Exec is a further process in the running container, to be started by the caller.
func (c *Container) Exec(t testing.TB, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return c.command(ctx, append([]string{"exec", c.id}, args...)...)
}

// Pid is the container's first process, as the host numbers it.
func (c *Container) Pid(t testing.TB) int {
	t.Helper()
	out, err := c.command(context.Background(), "state", c.id).Output()
	require.NoError(t, err)
	var state specs.State
	require.NoError(t, json.Unmarshal(out, &state))
	return state.Pid
}

// Rootfs is a root directory with a static busybox in /bin.
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
