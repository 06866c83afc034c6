package target

import (
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// execKeepsTable reports whether a task that execve(2) has given a file table of its own never
// gets the shared one back. Before Linux 5.11 it gets it back if the execve fails: such a task is
// found to share nothing, and begins to share the table again without being created.
var execKeepsTable = sync.OnceValue(func() bool {
	var event unix.EpollEvent
	_, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, ^uintptr(0),
		uintptr(unsafe.Pointer(&event)), 1, 0, 0, 0)
	var system unix.Utsname
	_ = unix.Uname(&system) // without an answer the release is empty
	return is511(errno, unix.ByteSliceToString(system.Release[:]))
})

// is511 reports whether the kernel is Linux 5.11 or newer, by what epoll_pwait2(2) answers for no
// fd, and by its release: a vendor may have given the call to an older kernel, or the kernel
// another release. Where a seccomp filter refuses to tell, the kernel is taken for an older one.
func is511(epollPwait2 unix.Errno, release string) bool {
	var major, minor int
	_, err := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return epollPwait2 == unix.EBADF && err == nil && (major > 5 || major == 5 && minor >= 11)
}
