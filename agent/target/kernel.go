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
	return is511(errno, release())
})

// is511 reports whether the kernel is Linux 5.11 or newer, by what epoll_pwait2(2) answers for no
// fd, and by its release: a vendor may have given the call to an older kernel, or the kernel
// another release. Where a seccomp filter refuses to tell, the kernel is taken for an older one.
func is511(epollPwait2 unix.Errno, release string) bool {
	return epollPwait2 == unix.EBADF && isAtLeast(release, 5, 11)
}

// listingIdentifies reports whether the inode in a listing of /proc tells a process from the next
// one with its id. Before Linux 6.15 the id is free for a moment before the kernel forgets the old
// directory (release_task in kernel/exit.c).
var listingIdentifies = sync.OnceValue(func() bool { return isAtLeast(release(), 6, 15) })

// isAtLeast reports whether the release of a kernel begins with this version or a newer one.
func isAtLeast(release string, major, minor int) bool {
	var itsMajor, itsMinor int
	_, err := fmt.Sscanf(release, "%d.%d", &itsMajor, &itsMinor)
	return err == nil && (itsMajor > major || itsMajor == major && itsMinor >= minor)
}

// release returns the release of the kernel, or nothing if that is unknown.
func release() string {
	var system unix.Utsname
	_ = unix.Uname(&system)
	return unix.ByteSliceToString(system.Release[:])
}
