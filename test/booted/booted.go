// Package booted boots systems for tests: copies of a small Debian with a real systemd as PID 1.
package booted

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Patience bounds every wait, on a busy machine.
const Patience = time.Minute

// A System is a copy of a small Debian, with a real systemd as PID 1.
type System struct {
	t   *testing.T
	PID int // of PID 1, as the test sees it
}

// Debian returns the root directory of a small Debian. It is made once.
func Debian(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../.cache/packages/debian")
	require.NoError(t, err)
	Run(t, "../packages/testdata/debian.sh",
		dir, "systemd", "systemd-sysv", "runc", "busybox-static")
	return dir
}

// Boot starts a system with files in /srv. It ends with the test.
func Boot(t *testing.T, files ...string) System {
	t.Helper()
	command := exec.Command("unshare",
		append([]string{"--net", "../systemd/testdata/boot.sh"}, files...)...)
	command.Env = append(os.Environ(), "ROOT="+Debian(t))
	return BootBy(t, command)
}

// BootBy starts a system by a command that prints which pid its PID 1 has here, and ends the system
// when its input ends.
func BootBy(t *testing.T, command *exec.Cmd) System {
	t.Helper()
	command.Stderr = os.Stderr
	// ^C must not keep it from cleaning up.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := command.StdinPipe()
	require.NoError(t, err)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		input.Close()
		require.NoError(t, command.Wait(), "end the system")
	})
	s := System{t: t}
	_, err = fmt.Fscan(output, &s.PID)
	require.NoError(t, err, "boot systemd")
	require.Eventually(t, func() bool {
		return s.Command("systemctl", "is-active", "test.target").Run() == nil
	}, Patience, 50*time.Millisecond, "systemd does not start")
	return s
}

// Command returns a command that runs in the system.
func (s System) Command(args ...string) *exec.Cmd {
	enter := []string{"--target", fmt.Sprint(s.PID), "--mount", "--pid", "--net", "--uts", "--ipc",
		"--cgroup", "--root", "--wd", "--"}
	command := exec.Command("nsenter", append(enter, args...)...)
	command.Env = []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive"}
	return command
}

// Sh runs a script in the system, and returns what it prints.
func (s System) Sh(script string) string {
	s.t.Helper()
	out, err := s.Command("sh", "-ec", script).CombinedOutput()
	require.NoError(s.t, err, "%s: %s", script, out)
	return strings.TrimSpace(string(out))
}

// A Container asks to bind ports.
type Container struct {
	t   *testing.T
	in  io.Writer
	out io.Reader
}

// Start runs a container of runc, with an annotation, by the program that the package installed.
func (s System) Start(port int) Container {
	s.t.Helper()
	s.Sh(fmt.Sprintf(`
		mkdir -p /srv/bundle/rootfs/tmp
		cp /srv/ask /srv/bundle/rootfs
		cd /srv/bundle
		runc spec
		sed -i 's|"terminal": true|"terminal": false|; s|"sh"|"/ask"|
			s|"ociVersion"|"annotations": {"port-restricter.port": "%d"}, &|' config.json
		port-restricter inject --bundle .`, port))
	command := s.Command("sh", "-c", `mkdir -p /sys/fs/cgroup/caller &&
		echo $$ >/sys/fs/cgroup/caller/cgroup.procs && exec runc run --bundle /srv/bundle test`)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	require.NoError(s.t, err)
	out, err := command.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, command.Start())
	s.t.Cleanup(func() {
		in.Close()
		_ = command.Wait()
	})
	c := Container{s.t, in, out}
	require.Equal(s.t, "ready", c.line())
	return c
}

// Bind returns what the container gets for a bind: "works", or the name of the errno.
func (c Container) Bind(port int) string {
	c.t.Helper()
	_, err := fmt.Fprintln(c.in, port)
	require.NoError(c.t, err)
	return c.line()
}

func (c Container) line() (line string) {
	c.t.Helper()
	_, err := fmt.Fscan(c.out, &line)
	require.NoError(c.t, err)
	return line
}

// Run runs a command of this machine, and returns what it prints.
func Run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, "%s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}
