package agent

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls that never wait, as raw ones: the Go scheduler isn't told of each.

// rawGetsockopt is for options that are read without the socket's lock, which
// the target can hold for ever.
func rawGetsockopt[T int32 | uint64](socket, option int) (value T, err error) {
	size := uint32(unsafe.Sizeof(value))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(socket), unix.SOL_SOCKET, uintptr(option),
		uintptr(unsafe.Pointer(&value)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, errno
	}
	return value, nil
}

// rawTimerfdSettime can't fail: the fd is ours, the time is valid.
func rawTimerfdSettime(fd int, value *unix.ItimerSpec) {
	_, _, _ = unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(fd), 0, uintptr(unsafe.Pointer(value)), 0, 0, 0)
}
