package agent

import (
	"errors"
	"fmt"
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
