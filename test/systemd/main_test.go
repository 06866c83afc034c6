// Package systemd runs the recipes of docs/systemd.md with a real systemd, which is PID 1 of
// namespaces of its own. TestMain starts it once for all tests.
package systemd

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

// inside is set in the environment of the process that runs in a network namespace of its
// own, since the services have fixed ports.
const inside = "SYSTEMD_TEST_IN_A_NETWORK_OF_ITS_OWN"

// patience bounds every wait, on a busy machine.
const patience = time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(runBooted(m))
	}
	runtime.LockOSThread() // Pdeathsig is sent when this thread ends, not when the process does
	again := exec.Command("/proc/self/exe", os.Args[1:]...)
	again.Env = append(os.Environ(), inside+"=1")
	again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	err := again.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		panic(err)
	}
	os.Exit(again.ProcessState.ExitCode())
}

// systemdPid is the pid of PID 1, as the tests see it.
var systemdPid int

// runBooted runs the tests while systemd runs.
func runBooted(m *testing.M) int {
	if err := exec.Command("busybox", "ip", "link", "set", "lo", "up").Run(); err != nil {
		panic(err)
	}
	binary := os.Getenv("PORT_RESTRICTER_BIN")
	if binary == "" {
		binary = "../../bin/port-restricter"
	}
	boot := exec.Command("testdata/boot.sh", binary, binary+"-admin", "testdata/web-server")
	boot.Stderr = os.Stderr
	boot.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // ^C must not keep it from cleaning up
	input, err := boot.StdinPipe()
	if err != nil {
		panic(err)
	}
	output, err := boot.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := boot.Start(); err != nil {
		panic(err)
	}
	defer func() {
		input.Close()
		_ = boot.Wait()
	}()
	if _, err := fmt.Fscan(output, &systemdPid); err != nil || !isUp() {
		fmt.Fprintln(os.Stderr, "systemd does not start")
		return 1
	}
	return m.Run()
}

// isUp waits until systemctl can be used.
func isUp() bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if enter("systemctl", "is-active", "test.target").Run() == nil {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// enter returns a command that runs where the services run.
func enter(args ...string) *exec.Cmd {
	target := []string{"--target", fmt.Sprint(systemdPid), "--mount", "--pid", "--cgroup", "--"}
	return exec.Command("nsenter", append(target, args...)...)
}
