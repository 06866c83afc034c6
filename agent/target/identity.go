package target

// #include "helper.h"
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// identity reads the credentials, the namespaces and the directories that a
// helper of the spawner takes on. release must be called in any case, once the
// request was sent.
func (t *Thread) identity(
	s *spawner,
) (h *C.struct_helper, release func(), err error) {
	read := func() { h, release, err = t.readIdentity(s) }
	if t.foreign && t.asItsUser(true, read) {
		return h, release, err
	}
	defer raisePermitted()()
	read()
	return h, release, err
}

func (t *Thread) readIdentity(
	spawner *spawner,
) (h *C.struct_helper, release func(), err error) {
	var fds []int
	release = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	h = &C.struct_helper{groups: -1, userns: -1, outer: -1, root: -1}
	open := func(name string, flags int) C.int {
		if err != nil {
			return -1
		}
		var fd int
		path := fmt.Sprintf("/proc/%d/%s", t.tid, name)
		if fd, err = unix.Open(path, flags|unix.O_CLOEXEC, 0); err != nil {
			err = fmt.Errorf("open %s: %w", path, err)
			return -1
		}
		fds = append(fds, fd)
		return C.int(fd)
	}
	if t.InOtherUserNamespace() {
		h.userns = open("ns/user", unix.O_RDONLY)
	}
	if err == nil && h.userns >= 0 {
		outer, owner, outerErr := outermostBelowAgent(int(h.userns))
		if outer >= 0 && outer != int(h.userns) {
			fds = append(fds, outer)
		}
		h.outer, h.owner, err = C.int(outer), C.uid_t(owner), outerErr
	}
	if !t.sharesWithAgent("root") {
		h.root = open("root", unix.O_PATH|unix.O_DIRECTORY)
	}
	h.cwd = open("cwd", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, release, err
	}
	theirs, err := credentialsOf(t.tid)
	if err != nil {
		return nil, release, err
	}
	h.umask, h.caps = C.uint(theirs.umask), C.uint64_t(theirs.effective)
	var many []uint32 // groups for which the request has no room
	setIDs := func(ids *C.struct_ids, c credentials) {
		ids.ruid, ids.euid = C.uid_t(c.uid[0]), C.uid_t(c.uid[1])
		ids.suid, ids.fsuid = C.uid_t(c.uid[2]), C.uid_t(c.uid[3])
		ids.rgid, ids.egid = C.gid_t(c.gid[0]), C.gid_t(c.gid[1])
		ids.sgid, ids.fsgid = C.gid_t(c.gid[2]), C.gid_t(c.gid[3])
		ids.ngroups = C.int(len(c.groups))
		if len(c.groups) > len(ids.groups) {
			many = append(many, c.groups...)
			return
		}
		for i, group := range c.groups {
			ids.groups[i] = C.gid_t(group)
		}
	}
	setIDs(&h.ids, theirs)
	ours := spawner.ours
	if ours.uid == theirs.uid && ours.gid == theirs.gid {
		h.same_ids = 1
	}
	// The kernel shows every group that this user namespace does not map by one number.
	if slices.Equal(ours.groups, theirs.groups) &&
		(h.same_ids == 1 || !slices.Contains(ours.groups, overflowID)) {
		h.same_groups = 1
	}
	if h.userns >= 0 && h.same_ids+h.same_groups < 2 && !spawner.anyIDs {
		if inside, err := theirs.inNamespaceOf(t.tid, int(h.outer)); err == nil {
			setIDs(&h.outer_ids, inside)
			h.knows_outer_ids = 1
		}
	}
	if len(many) > 0 {
		list, err := filledPipe(many)
		if err != nil {
			return nil, release, fmt.Errorf("pass on its %d groups: %w", len(theirs.groups), err)
		}
		fds = append(fds, list)
		h.groups = C.int(list)
	}
	return h, release, nil
}

// filledPipe returns the end of a pipe from which the list can be read.
func filledPipe(list []uint32) (end int, err error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return -1, err
	}
	defer unix.Close(pipe[1])
	text := unsafe.Slice((*byte)(unsafe.Pointer(&list[0])), len(list)*4)
	_, err = unix.FcntlInt(uintptr(pipe[1]), unix.F_SETPIPE_SZ, len(text))
	if err == nil || errors.Is(err, unix.EPERM) { // its size may suffice
		var n int
		if n, err = unix.Write(pipe[1], text); err == nil && n < len(text) {
			err = errors.New("a pipe has no room for them (fs.pipe-user-pages-soft)")
		}
	}
	if err != nil {
		unix.Close(pipe[0])
		return -1, err
	}
	return pipe[0], nil
}

// sharesWithAgent reports whether the link name in the target's /proc directory leads
// to the same namespace, or to the same directory on the same mount, as the link of
// the calling thread. It returns false if that cannot be determined.
func (t *Thread) sharesWithAgent(name string) bool {
	defer raisePermitted()()
	var theirs, ours unix.Statx_t
	const mask = unix.STATX_INO | unix.STATX_MNT_ID
	target := fmt.Sprintf("/proc/%d/%s", t.tid, name)
	if unix.Statx(unix.AT_FDCWD, target, 0, mask, &theirs) != nil ||
		unix.Statx(unix.AT_FDCWD, "/proc/thread-self/"+name, 0, mask, &ours) != nil {
		return false
	}
	return theirs.Ino == ours.Ino && theirs.Mnt_id == ours.Mnt_id &&
		theirs.Dev_major == ours.Dev_major && theirs.Dev_minor == ours.Dev_minor
}
