package probes

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside is set in the environment of the process that runs in the network namespace.
const inside = "PROBES_IN_A_NETWORK_OF_THEIR_OWN"

// TestMain runs the tests in a new network namespace, because the probes bind
// fixed ports while the tests of other packages run.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		if err := loopbackUp(); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
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

// loopbackUp sets lo up, which is down in a new network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up)
}
