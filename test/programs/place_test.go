package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// patience bounds how long a program may take to start, to answer or to end, on a busy
// machine.
const patience = 3 * time.Minute

// host is an address of the network of a place, besides 127.0.0.1 and ::1.
const host = "192.0.2.1"

// A place is where a program runs: a user, a directory that belongs to the user, and a
// network namespace. The test's goroutine is in the namespace, too, so what it dials and
// what it starts is there.
type place struct {
	*testing.T
	dir  string
	user *user.User
}

// newPlace makes a place for the rest of the test, in the directory dir or, if dir is "", in
// a temporary one.
func newPlace(t *testing.T, userName, dir string) *place {
	t.Helper()
	// The thread is never unlocked, so it ends with the test, and its namespace does, too.
	runtime.LockOSThread()
	require.NoError(t, unix.Unshare(unix.CLONE_NEWNET))
	owner, err := user.Lookup(userName)
	require.NoError(t, err)
	if dir == "" {
		dir = temporary(t)
	}
	p := &place{T: t, dir: dir, user: owner}
	// Without an address that is not a loopback address, getaddrinfo(3) finds no host.
	shell := exec.Command("sh", "-ec", `ip link set lo up
		ip address add `+host+`/32 dev lo
		chown -R "$0" "$1"`, owner.Uid+":"+owner.Gid, dir)
	out, err := shell.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Cleanup(p.clear)
	return p
}

// temporary returns a directory that everybody can enter. Its name is short enough for the
// path of a socket.
func temporary(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "program")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// as returns the same place for another user.
func (p *place) as(userName string) *place {
	other, err := user.Lookup(userName)
	require.NoError(p, err)
	return &place{T: p.T, dir: p.dir, user: other}
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

// write writes a file of the place and returns its path.
func (p *place) write(name, text string) string {
	p.Helper()
	require.NoError(p, os.WriteFile(p.path(name), []byte(text), 0o644))
	return p.path(name)
}

// replace puts a text in the place of a file of the machine, for p alone.
func (p *place) replace(file, text string) {
	p.Helper()
	p.mount("mount --bind " + p.write(filepath.Base(file), text) + " " + file)
}

// mount runs a script, as root, that mounts something for p alone.
func (p *place) mount(script string) {
	p.Helper()
	require.NoError(p, unix.Unshare(unix.CLONE_NEWNS))
	out, err := exec.Command("sh", "-ec", "mount --make-rprivate /; "+script).CombinedOutput()
	require.NoError(p, err, string(out))
}

// command returns a command that p's user runs in p.
func (p *place) command(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Dir = p.dir
	command.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "XDG_RUNTIME_DIR=" + p.dir,
		"USER=" + p.user.Username, "SHELL=/bin/sh", "TERM=xterm", "LANG=C.UTF-8",
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if p.user.Uid != "0" {
		command.SysProcAttr.Credential = &syscall.Credential{
			Uid: number(p, p.user.Uid), Gid: number(p, p.user.Gid),
		}
	}
	return command
}

func testdata(name string) string { return filepath.Join(shared, "testdata", name) }

func number(t testing.TB, text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	require.NoError(t, err)
	return uint32(n)
}

// try runs a command to its end and returns what it prints. A command that fails, or does
// not end in time, is an error that says what it printed.
func (p *place) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	command := p.command(ctx, args...)
	out, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// await repeats an attempt until it succeeds.
func (p *place) await(attempt func() error, explain func() string) {
	p.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := attempt()
		if err == nil {
			return
		}
		if errors.Is(err, errHopeless) || time.Now().After(deadline) {
			require.NoError(p, err, explain())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// errHopeless ends an await before its time.
var errHopeless = errors.New("")

// clear ends the processes that are still in p's network namespace.
func (p *place) clear() {
	mine, err := os.Readlink("/proc/thread-self/ns/net")
	require.NoError(p, err)
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(p, err)
	for _, process := range processes {
		pid := int(number(p, filepath.Base(process)))
		its, err := os.Readlink(process + "/ns/net")
		if err == nil && its == mine && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// A process is a program that runs in a place.
type process struct {
	*exec.Cmd
	place *place
	out   string // the file that its output goes to
	ended chan struct{}
}

// start starts a program, which ends with the test at the latest.
func (p *place) start(args ...string) *process {
	p.Helper()
	s := &process{place: p, ended: make(chan struct{})}
	s.Cmd = p.command(context.Background(), args...)
	s.out = filepath.Join(temporary(p.T), "output")
	file, err := os.Create(s.out)
	require.NoError(p, err)
	defer file.Close()
	s.Stdout, s.Stderr = file, file
	require.NoError(p, s.Start())
	go func() {
		_ = s.Wait()
		close(s.ended)
	}()
	p.Cleanup(func() {
		_ = syscall.Kill(-s.Process.Pid, syscall.SIGKILL)
		<-s.ended
	})
	return s
}

// output returns what the program has said so far.
func (s *process) output() string {
	out, err := os.ReadFile(s.out)
	require.NoError(s.place, err)
	return string(bytes.ToValidUTF8(out, []byte("?")))
}

// stop asks the program to end and returns its exit status.
func (s *process) stop() int {
	s.place.Helper()
	_ = s.Process.Signal(syscall.SIGTERM)
	return s.wait()
}

// wait waits for the end of the program and returns its exit status, as a shell has it.
func (s *process) wait() int {
	s.place.Helper()
	select {
	case <-s.ended:
	case <-time.After(patience):
		require.Fail(s.place, "the program does not end", s.output())
	}
	if status := s.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return s.ProcessState.ExitCode()
}
