package runc

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// A World is a mount namespace that ends with the test. In a World, a test may change
// directories that belong to the machine.
type World struct {
	// Cgroup2 means that only the unified cgroup hierarchy is at /sys/fs/cgroup.
	Cgroup2 bool
	// Settings is the text of /etc/port-restricter/config.toml. If it is not empty, the
	// world has an empty /run, and a copy of the machine's /etc that it may change.
	Settings string

	pid int
}

// NewWorld makes the World that w describes.
func NewWorld(t testing.TB, w World) *World {
	t.Helper()
	script := `set -e
		if [ -n "$CGROUP2" ]; then mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
		if [ -n "$SETTINGS" ]; then
			mount -t tmpfs -o mode=755 tmpfs "$DIR"
			mount -t tmpfs -o mode=755 tmpfs /run
			mkdir "$DIR/new" "$DIR/work"
			mount -t overlay overlay -o "lowerdir=/etc,upperdir=$DIR/new,workdir=$DIR/work" /etc
			mkdir -p /etc/port-restricter
			printf %s "$SETTINGS" >/etc/port-restricter/config.toml
		fi
		echo ready
		exec cat` // holds the namespace until its stdin ends: with the test process at the latest
	holder := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script)
	holder.Env = append(os.Environ(), "SETTINGS="+w.Settings, "DIR="+t.TempDir())
	if w.Cgroup2 {
		holder.Env = append(holder.Env, "CGROUP2=yes")
	}
	holder.Stderr = os.Stderr
	stdin, err := holder.StdinPipe()
	require.NoError(t, err)
	stdout, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = holder.Wait()
	})
	ready, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "make a mount namespace")
	require.Equal(t, "ready\n", ready)
	w.pid = holder.Process.Pid
	return &w
}

// Enter returns the command that runs another command in the World. A nil World is the
// test's own mount namespace.
func (w *World) Enter(command ...string) []string {
	if w == nil {
		return command
	}
	namespace := fmt.Sprintf("--mount=/proc/%d/ns/mnt", w.pid)
	return append([]string{"nsenter", namespace, "--"}, command...)
}
