package agent

import (
	"os"

	"golang.org/x/sys/unix"
)

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
