package target

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// InOtherUserNamespace reports whether the thread is in another user namespace
// than this process. It returns true if that cannot be determined.
func (t *Thread) InOtherUserNamespace() bool { return !t.sharesWithAgent("ns/user") }

// outermostBelowAgent climbs from a user namespace to its ancestor whose parent is
// this process's namespace. The owner of that ancestor has every capability in it
// and in all namespaces inside it, user_namespaces(7). It returns the ancestor's
// fd and owner. The fd is either userns itself or the caller's to close, even if
// there is an error.
func outermostBelowAgent(userns int) (fd int, owner uint32, err error) {
	var ours, parent unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/user", &ours); err != nil {
		return -1, 0, fmt.Errorf("inspect the agent's own user namespace: %w", err)
	}
	for fd = userns; ; {
		up, err := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		if err != nil {
			return fd, 0, fmt.Errorf("its user namespace is not inside the agent's: %w", err)
		}
		if err := unix.Fstat(up, &parent); err != nil {
			unix.Close(up)
			return fd, 0, fmt.Errorf("inspect a parent of its user namespace: %w", err)
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
