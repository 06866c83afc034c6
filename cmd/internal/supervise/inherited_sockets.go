package supervise

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// InheritedSockets returns the fds of the sockets that this process was started with and
// that the command inherits. It must be called before the program opens a socket of its
// own without close-on-exec.
func InheritedSockets() (fds []int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue
		}
		var stat unix.Stat_t
		if unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFSOCK {
			fds = append(fds, fd)
		}
	}
	return fds
}
