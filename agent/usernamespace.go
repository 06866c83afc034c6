package agent

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// belowOurs climbs from a user namespace to the one whose parent is ours: its
// owner has every capability in it and in all that it holds,
// user_namespaces(7). The fd is userns itself, or the caller's to close, also
// with an error.
func belowOurs(userns int) (fd int, owner uint32, err error) {
	var ours, parent unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/user", &ours); err != nil {
		return -1, 0, fmt.Errorf("look at our own user namespace: %w", err)
	}
	for fd = userns; ; {
		up, err := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		if err != nil {
			return fd, 0, fmt.Errorf("its user namespace is not inside ours: %w", err)
		}
		if err := unix.Fstat(up, &parent); err != nil {
			unix.Close(up)
			return fd, 0, fmt.Errorf("look at a parent of its user namespace: %w", err)
		}
		if parent.Ino == ours.Ino && parent.Dev == ours.Dev {
			unix.Close(up)
			break
		}
		if fd != userns {
			unix.Close(fd)
		}
		fd = up
	}
	if owner, err = unix.IoctlGetUint32(fd, unix.NS_GET_OWNER_UID); err != nil {
		return fd, 0, fmt.Errorf("ask who owns its user namespace: %w", err)
	}
	return fd, owner, nil
}
