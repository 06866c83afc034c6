// Package survive shows that containers notice no more than a pause when their agent is restarted,
// killed, or replaced by another version. A real systemd runs the project's own units, and runc
// the containers. TestMain runs all tests where that systemd is PID 1.
package survive

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inside is set in the environment of the process that runs the tests, in the namespaces
// of systemd and a network namespace of its own, since the containers have fixed ports.
const inside = "PORT_RESTRICTER_SURVIVE_TEST"

// patience bounds every wait, on a busy machine.
const patience = time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	status, err := runInside()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// runInside boots systemd and runs this program again where systemd is PID 1.
func runInside() (status int, err error) {
	runtime.LockOSThread() // Pdeathsig is sent when this thread ends, not when the process does
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	boot := exec.Command("unshare", "--net", "../systemd/testdata/boot.sh",
		"../../bin/port-restricter", "../../bin/port-restricter-admin",
		"../../bin/port-restricter-faults")
	boot.Stderr = os.Stderr
	boot.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // ^C must not keep it from cleaning up
	input, err := boot.StdinPipe()
	if err != nil {
		return 1, err
	}
	output, err := boot.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := boot.Start(); err != nil {
		return 1, err
	}
	defer func() {
		input.Close()
		_ = boot.Wait()
	}()
	var pid int
	if _, err := fmt.Fscan(output, &pid); err != nil {
		return 1, fmt.Errorf("boot systemd: %w", err)
	}
	directory, err := os.Getwd()
	if err != nil {
		return 1, err
	}
	// The program may be in /tmp, which is another one there: it is run by its inode. It has a
	// cgroup that its cgroup namespace shows.
	again := exec.Command("nsenter", append([]string{
		"--target", fmt.Sprint(pid), "--mount", "--pid", "--net", "--cgroup", "--wd=" + directory,
		"sh", "-c", `mkdir /sys/fs/cgroup/test && echo $$ >/sys/fs/cgroup/test/cgroup.procs &&
			exec /proc/self/fd/3 "$@"`, "sh"}, os.Args[1:]...)...)
	program, err := os.Open(self)
	if err != nil {
		return 1, err
	}
	defer program.Close()
	again.ExtraFiles = []*os.File{program}
	again.Env = append(os.Environ(), inside+"=1")
	again.Stdout, again.Stderr = os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	err = again.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 1, err
	}
	return again.ProcessState.ExitCode(), nil
}
