package agent

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// checkKernel fails if the kernel lacks an interface that a supervisor can't do
// without, and names the version that has it.
func checkKernel() error { return checkRequirements(requirements) }

// A requirement is a kernel interface. try calls it in a way that always fails, by
// ENOSYS if the kernel does not have it.
type requirement struct {
	what, since string
	try         func() error
}

var requirements = []requirement{
	{"seccomp user notification (SECCOMP_RET_USER_NOTIF)", "Linux 5.0", func() error {
		action := uint32(unix.SECCOMP_RET_USER_NOTIF)
		_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0,
			uintptr(unsafe.Pointer(&action)))
		if errno == unix.EOPNOTSUPP {
			return unix.ENOSYS
		}
		return errno
	}},
	{"pidfd_open(2)", "Linux 5.3", func() error {
		_, err := unix.PidfdOpen(-1, 0)
		return err
	}},
	{"pidfd_getfd(2)", "Linux 5.6", func() error {
		_, err := unix.PidfdGetfd(-1, -1, 0)
		return err
	}},
	{"process_vm_readv(2)", "Linux 3.2 built with CONFIG_CROSS_MEMORY_ATTACH", func() error {
		_, err := unix.ProcessVMReadv(-1, nil, nil, 0)
		return err
	}},
}

func checkRequirements(requirements []requirement) error {
	for _, r := range requirements {
		if errors.Is(r.try(), unix.ENOSYS) {
			return fmt.Errorf("this kernel has no %s: it needs %s or newer, "+
				"or a sandbox around port-restricter refuses it", r.what, r.since)
		}
	}
	return nil
}

// Weakness returns which targets this kernel does not allow to serve as on the bare kernel, and
// what it lacks. It returns "" for a kernel that has all.
func Weakness() string {
	const pidfdThread, kcmpFiles = unix.O_EXCL, 2
	fd, err := unix.PidfdOpen(os.Getpid(), pidfdThread)
	if err == nil {
		unix.Close(fd)
		return ""
	}
	self := uintptr(os.Getpid())
	_, _, errno := unix.Syscall6(unix.SYS_KCMP, self, self, kcmpFiles, 0, 0, 0)
	if errno == unix.ENOSYS {
		return "only the first thread of a process can bind: the kernel has neither kcmp(2) " +
			"(CONFIG_KCMP) nor PIDFD_THREAD (Linux 6.9)"
	}
	return "threads with a file table of their own can't bind: the kernel has no PIDFD_THREAD " +
		"(Linux 6.9)"
}
