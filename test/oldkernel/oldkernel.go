// Package oldkernel is test support. It takes from the calling process what an old kernel does
// not have.
package oldkernel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Always is for the flags of Hide: every call fails, whatever its second argument.
const Always = ^uint32(0)

// Hide makes a system call fail with errno if its second argument has any of the flags. It loads
// a seccomp filter for all threads, which the process, and what it executes, keeps until its end.
func Hide(call, flags uint32, errno unix.Errno) error {
	const number, secondArgument = 0, 16 + 8 // offsets in struct seccomp_data
	test := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: flags, Jf: 1}
	if flags == Always {
		test.Jf = 0
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: secondArgument},
		test,
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	program := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, failed := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(program)))
	if failed != 0 {
		return fmt.Errorf("load a seccomp filter: %w", failed)
	}
	return nil
}
