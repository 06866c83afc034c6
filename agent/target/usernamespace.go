package target

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// InOtherUserNamespace reports whether the thread is in another user namespace
// than this process. It returns true if that cannot be determined.
func (t *Thread) InOtherUserNamespace() bool { return !t.sharesWithAgent("ns/user") }

// IsOfAgentsUser reports whether the thread owns every user namespace that the calling
// thread owns: it has the same effective uid in the same user namespace. It returns false
// if that cannot be determined.
func (t *Thread) IsOfAgentsUser() bool {
	if t.foreign || t.InOtherUserNamespace() {
		return false
	}
	if ours, err := readCapabilities(); err == nil && ours.permitted == 0 {
		return true // without a capability it could not have inspected another user's process
	}
	theirs, err := credentialsOf(t.tid)
	return err == nil && theirs.uid[1] == uint32(os.Geteuid())
}

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

// overflowID is the number by which the kernel shows an id that a user namespace does
// not map (overflowuid, proc_sys_kernel(5)).
const overflowID = 65534

// inNamespaceOf returns the credentials of task tid with the numbers that the ids have in
// a user namespace, which is that of the task or an ancestor of it. The map of a
// namespace is in the /proc directories of the processes in it, so the function climbs
// from the task to one of these.
func (c credentials) inNamespaceOf(tid, userns int) (inside credentials, err error) {
	var wanted unix.Stat_t
	if err := unix.Fstat(userns, &wanted); err != nil {
		return c, fmt.Errorf("inspect its user namespace: %w", err)
	}
	for task := tid; task != 0; {
		users, groups, err := idMapsOf(task, wanted)
		if err == nil {
			return c.translate(users, groups)
		}
		if !errors.Is(err, errElsewhere) {
			return c, err
		}
		status, err := readStatus(task, nil)
		if err != nil {
			return c, err
		}
		if task, err = status.parent(); err != nil {
			return c, err
		}
	}
	return c, errors.New("no ancestor of it is in the outermost of its user namespaces")
}

var errElsewhere = errors.New("the process is in another user namespace")

// idMapsOf returns the maps of a task's user namespace. It fails with errElsewhere if
// that is not the namespace wanted. All files are opened in one directory, which does
// not become that of another process with the same id. A process can leave its user
// namespace, but not come back: so if it is there before and after, it was there all the
// time.
func idMapsOf(task int, wanted unix.Stat_t) (users, groups idMap, err error) {
	directory, err := unix.Open("/proc/"+strconv.Itoa(task),
		unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open /proc/%d: %w", task, err)
	}
	defer unix.Close(directory)
	check := func() error {
		var its unix.Stat_t
		err := unix.Fstatat(directory, "ns/user", &its, 0)
		if err == nil && (its.Ino != wanted.Ino || its.Dev != wanted.Dev) {
			err = errElsewhere
		}
		return err
	}
	if err := check(); err != nil {
		return nil, nil, err
	}
	if users, err = readIDMap(directory, "uid_map"); err != nil {
		return nil, nil, err
	}
	if groups, err = readIDMap(directory, "gid_map"); err != nil {
		return nil, nil, err
	}
	return users, groups, check()
}

// translate returns the credentials with the numbers inside of the maps' namespace.
func (c credentials) translate(users, groups idMap) (inside credentials, err error) {
	number := func(m idMap, id uint32) uint32 {
		n, ok := m.inside(id)
		if !ok {
			err = fmt.Errorf("id %d is not mapped in its user namespace", id)
		}
		return n
	}
	inside = c
	inside.groups = nil
	for i := range c.uid {
		inside.uid[i], inside.gid[i] = number(users, c.uid[i]), number(groups, c.gid[i])
	}
	for _, group := range c.groups {
		inside.groups = append(inside.groups, number(groups, group))
	}
	return inside, err
}
