package packages

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

// patience bounds every wait, on a busy machine.
const patience = time.Minute

// A system is a copy of a small Debian, with a real systemd as PID 1.
type system struct {
	t   *testing.T
	pid int // of PID 1, as the test sees it
}

// debian returns the root directory of a small Debian. It is made once.
func debian(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../.cache/packages/debian")
	require.NoError(t, err)
	run(t, "testdata/debian.sh", dir, "systemd", "systemd-sysv", "runc", "busybox-static")
	return dir
}

// boot starts a system with files in /srv. It ends with the test.
func boot(t *testing.T, files ...string) system {
	t.Helper()
	command := exec.Command("unshare",
		append([]string{"--net", "../systemd/testdata/boot.sh"}, files...)...)
	command.Env = append(os.Environ(), "ROOT="+debian(t))
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
		_ = command.Wait()
	})
	s := system{t: t}
	_, err = fmt.Fscan(output, &s.pid)
	require.NoError(t, err, "boot systemd")
	require.Eventually(t, func() bool {
		return s.command("systemctl", "is-active", "test.target").Run() == nil
	}, patience, 50*time.Millisecond, "systemd does not start")
	return s
}

// command returns a command that runs in the system.
func (s system) command(args ...string) *exec.Cmd {
	enter := []string{"--target", fmt.Sprint(s.pid), "--mount", "--pid", "--net", "--cgroup",
		"--root", "--wd", "--"}
	command := exec.Command("nsenter", append(enter, args...)...)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive"}
	return command
}

// sh runs a script in the system, and returns what it prints.
func (s system) sh(script string) string {
	s.t.Helper()
	out, err := s.command("sh", "-ec", script).CombinedOutput()
	require.NoError(s.t, err, "%s: %s", script, out)
	return strings.TrimSpace(string(out))
}

// A container asks to bind ports.
type container struct {
	t   *testing.T
	in  io.Writer
	out io.Reader
}

// start runs a container of runc, with an annotation, by the program that the package installed.
func (s system) start(port int) container {
	s.t.Helper()
	s.sh(fmt.Sprintf(`mkdir -p /srv/bundle/rootfs
		cp /srv/ask /srv/bundle/rootfs
		cd /srv/bundle
		runc spec
		sed -i 's|"terminal": true|"terminal": false|; s|"sh"|"/ask"|
			s|"ociVersion"|"annotations": {"port-restricter.port": "%d"}, &|' config.json
		port-restricter inject --bundle .`, port))
	command := s.command("sh", "-c", `mkdir -p /sys/fs/cgroup/caller &&
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
	c := container{s.t, in, out}
	require.Equal(s.t, "ready", c.line())
	return c
}

// bind returns what the container gets for a bind: "works", or the name of the errno.
func (c container) bind(port int) string {
	c.t.Helper()
	_, err := fmt.Fprintln(c.in, port)
	require.NoError(c.t, err)
	return c.line()
}

func (c container) line() (line string) {
	c.t.Helper()
	_, err := fmt.Fscan(c.out, &line)
	require.NoError(c.t, err)
	return line
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, "%s: %s", strings.Join(args, " "), out)
	return strings.TrimSpace(string(out))
}
