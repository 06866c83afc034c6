package hook

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// libseccomp has WAIT_KILLABLE_RECV since 2.6, the kernel since 5.19: until the
// distributions have caught up, libseccomp makes the program and we load it.

var kernelFlags = map[specs.LinuxSeccompFlag]uintptr{
	specs.LinuxSeccompFlagLog:              unix.SECCOMP_FILTER_FLAG_LOG,
	specs.LinuxSeccompFlagSpecAllow:        unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
	specs.LinuxSeccompFlagWaitKillableRecv: unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
}

// kernelWaitsKillable: the kernel looks at the flags (EINVAL for one it doesn't
// know) before it looks at the filter (EFAULT for none).
func kernelWaitsKillable() bool {
	_, errno := setModeFilter(unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, nil)
	return errno == unix.EFAULT
}

func loadWaitKillable(p *specs.LinuxSeccomp) (int, error) {
	filter, err := newFilter(p)
	if err != nil {
		return -1, err
	}
	defer filter.Release()
	instructions, err := program(filter)
	if err != nil {
		return -1, err
	}
	flags := uintptr(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	for _, name := range p.Flags {
		flag, ok := kernelFlags[name]
		if !ok {
			return -1, fmt.Errorf("load the seccomp filter: flag %q is unknown", name)
		}
		flags |= flag
	}
	fd, errno := setModeFilter(flags, &unix.SockFprog{Len: uint16(len(instructions)), Filter: &instructions[0]})
	runtime.KeepAlive(instructions)
	if errno != 0 {
		return -1, fmt.Errorf("load the seccomp filter of %d instructions: %w", len(instructions), errno)
	}
	return fd, nil
}

// setModeFilter is seccomp(2)'s SECCOMP_SET_MODE_FILTER, for this thread only.
func setModeFilter(flags uintptr, program *unix.SockFprog) (int, unix.Errno) {
	fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(program)))
	return int(fd), errno
}
