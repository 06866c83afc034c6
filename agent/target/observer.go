package target

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// BecomeObserver locks the calling goroutine to its OS thread, and makes effective what a look at
// the fds of other users' processes in /proc takes, as far as it is permitted: CAP_SYS_PTRACE to
// follow the links, CAP_DAC_OVERRIDE to list them. The thread must do nothing but read there, and
// end with the goroutine.
func BecomeObserver() error {
	runtime.LockOSThread()
	caps, err := readCapabilities()
	if err != nil {
		return fmt.Errorf("read the capabilities of a thread: %w", err)
	}
	work := caps.permitted & (1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_DAC_OVERRIDE)
	if caps.effective == work {
		return nil
	}
	caps.effective = work
	if err := caps.set(); err != nil {
		return fmt.Errorf("raise capabilities to look at processes: %w", err)
	}
	return nil
}

// HasFilter reports whether a process is under a seccomp filter.
func HasFilter(pid int) bool {
	status, err := readStatus(pid, nil)
	if err != nil {
		return false
	}
	mode, err := status.field("Seccomp")
	return err == nil && mode == "2"
}

// IsAtHome reports whether a process is in the pid namespace that Home returned home for.
func IsAtHome(pid, home int) bool {
	if Home(pid) == home {
		return true
	}
	if home == 0 {
		return false
	}
	// A process that joined the namespace, as an exec does.
	its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	namespace, homeErr := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", home))
	return err == nil && homeErr == nil && its == namespace
}
