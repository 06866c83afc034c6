package agent

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// unmapped is the uid that a user namespace has for none.
const unmapped = ^uint32(0)

// A userNamespace is how to enter one: as its owner, without a capability over
// anything else, user_namespaces(7).
type userNamespace struct {
	owner uint32 // of its outermost ancestor below our own namespace

	// The target's own uids as the namespace has them, to return to inside.
	euid, fsuid uint32
}

// userNamespace asks the kernel about the target's; uids are as seen by us.
func (t *thread) userNamespace(fd int, euid, fsuid uint32) (u userNamespace, err error) {
	if u.owner, err = ownerBelowUs(fd); err != nil {
		return u, err
	}
	path := fmt.Sprintf("/proc/%d/uid_map", t.tid)
	uids, err := os.ReadFile(path)
	if err != nil {
		return u, fmt.Errorf("read the ids of its user namespace: %w", err)
	}
	u.euid, u.fsuid = inside(uids, euid), inside(uids, fsuid)
	return u, nil
}

// ownerBelowUs climbs from a namespace to the one whose parent is ours.
func ownerBelowUs(fd int) (uint32, error) {
	var ours, parent unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/user", &ours); err != nil {
		return 0, fmt.Errorf("look at our own user namespace: %w", err)
	}
	for at := fd; ; {
		up, err := unix.IoctlRetInt(at, unix.NS_GET_PARENT)
		if err != nil {
			return 0, fmt.Errorf("its user namespace is not inside ours: %w", err)
		}
		defer unix.Close(up)
		if err := unix.Fstat(up, &parent); err != nil {
			return 0, err
		}
		if parent.Ino == ours.Ino && parent.Dev == ours.Dev {
			owner, err := unix.IoctlGetUint32(at, unix.NS_GET_OWNER_UID)
			if err != nil {
				return 0, fmt.Errorf("ask who owns its user namespace: %w", err)
			}
			return owner, nil
		}
		at = up
	}
}

// inside translates a uid of ours by /proc/PID/uid_map: lines of first uid
// inside, first uid as we see it, count.
func inside(uidMap []byte, uid uint32) uint32 {
	for line := range bytes.Lines(uidMap) {
		var in, out, count uint32
		if _, err := fmt.Sscan(string(line), &in, &out, &count); err == nil && uid >= out && uid-out < count {
			return in + (uid - out)
		}
	}
	return unmapped
}
