package agent

/*
#include <stdlib.h>
#include "astarget.h"
*/
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// actLimit is when the helper ends itself.
const actLimit = C.ACT_SECONDS * time.Second

// errNotActed says that the call could not be made in the target's context;
// the call itself was not made.
var errNotActed = errors.New("the call can't be made in the target's context")

// actAsTarget makes the call on socket in a process of its own, which has the
// target's user namespace, ids, capabilities, root, working directory and
// umask, and ends with the call. The kernel then decides as it would for the
// target, without a thread of the target that could change what was checked.
//
// The error is the call's own errno, or errNotActed. What stays the agent's:
// the pid (SO_PEERCRED of a listener, a netlink port id) and the LSM label.
func (t *thread) actAsTarget(c *call, socket int, data []byte, stillValid func() bool) error {
	context, release, err := t.context()
	defer release()
	if err != nil {
		return fmt.Errorf("%w: %w", errNotActed, err)
	}
	if !stillValid() {
		return errWithdrawn
	}
	context.call, context.sock = map[callKind]C.int{callBind: C.ACT_BIND, callListen: C.ACT_LISTEN, callSetsockopt: C.ACT_SETSOCKOPT}[c.kind], C.int(socket)
	context.backlog, context.level, context.option = C.int(c.backlog), C.int(c.level), C.int(c.option)
	context.len = C.uint(copy(unsafe.Slice((*byte)(&context.data[0]), len(context.data)), data))

	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("%w: %w", errNotActed, err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	context.pipe = C.int(pipe[1])
	pidfd := int(C.start_as_target(context))
	if pidfd < 0 {
		return fmt.Errorf("%w: start a helper process: %w", errNotActed, unix.Errno(-pidfd))
	}
	defer unix.Close(pidfd)
	defer reap(pidfd)
	return readResult(pipe[0], pidfd)
}

// readResult waits for the helper, at most actLimit.
func readResult(pipe, pidfd int) error {
	ready := []unix.PollFd{{Fd: int32(pipe), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
	deadline := time.Now().Add(actLimit)
	for {
		n, err := unix.Poll(ready, int(time.Until(deadline).Milliseconds()))
		if errors.Is(err, unix.EINTR) && time.Now().Before(deadline) {
			continue
		}
		if n <= 0 {
			_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
			return fmt.Errorf("%w: it took more than %s", errNotActed, actLimit)
		}
		break
	}
	if ready[0].Revents&unix.POLLIN == 0 { // it may have written since
		_, _ = unix.Poll(ready[:1], 0)
	}
	if ready[0].Revents&unix.POLLIN == 0 {
		return fmt.Errorf("%w: the helper process was killed", errNotActed)
	}
	var result [unsafe.Sizeof(C.struct_as_target_result{})]byte
	if n, err := unix.Read(pipe, result[:]); err != nil || n < len(result) {
		return fmt.Errorf("%w: the helper process was killed", errNotActed)
	}
	stage := binary.NativeEndian.Uint32(result[:])
	errno := unix.Errno(binary.NativeEndian.Uint32(result[4:]))
	if stage != C.STAGE_CALL {
		what := map[uint32]string{C.STAGE_IDS: "take its user and groups", C.STAGE_USERNS: "enter its user namespace",
			C.STAGE_ROOT: "enter its root directory", C.STAGE_CWD: "enter its working directory", C.STAGE_CAPS: "take its capabilities"}[stage]
		return fmt.Errorf("%w: %s: %w", errNotActed, what, errno)
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// reap waits for a child that has no exit signal.
func reap(pidfd int) {
	for {
		err := unix.Waitid(unix.P_PIDFD, pidfd, nil, unix.WEXITED|unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// context reads who the target is and where it stands. The caller asks whether
// the notification is still valid afterwards: ids of threads are reused.
func (t *thread) context() (c *C.struct_as_target, release func(), err error) {
	var fds []int
	var groups unsafe.Pointer
	release = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
		C.free(groups)
	}
	c = &C.struct_as_target{userns: -1, outer: -1, root: -1}
	open := func(name string, flags int) C.int {
		if err != nil {
			return -1
		}
		var fd int
		if fd, err = unix.Open(fmt.Sprintf("/proc/%d/%s", t.tid, name), flags|unix.O_CLOEXEC, 0); err != nil {
			err = fmt.Errorf("open /proc/%d/%s: %w", t.tid, name, err)
			return -1
		}
		fds = append(fds, fd)
		return C.int(fd)
	}
	if !t.sharesWithUs("ns/user") {
		c.userns = open("ns/user", unix.O_RDONLY)
	}
	if err == nil && c.userns >= 0 {
		outer, owner, outerErr := belowOurs(int(c.userns))
		if outer >= 0 && outer != int(c.userns) {
			fds = append(fds, outer)
		}
		c.outer, c.owner, err = C.int(outer), C.uid_t(owner), outerErr
	}
	if !t.sharesWithUs("root") {
		c.root = open("root", unix.O_PATH|unix.O_DIRECTORY)
	}
	c.cwd = open("cwd", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, release, err
	}
	status, err := credentialsOf(t.tid)
	if err != nil {
		return nil, release, err
	}
	c.umask, c.caps = C.uint(status.umask), C.uint64_t(status.effective)
	c.ruid, c.euid, c.suid, c.fsuid = C.uid_t(status.uid[0]), C.uid_t(status.uid[1]), C.uid_t(status.uid[2]), C.uid_t(status.uid[3])
	c.rgid, c.egid, c.sgid, c.fsgid = C.gid_t(status.gid[0]), C.gid_t(status.gid[1]), C.gid_t(status.gid[2]), C.gid_t(status.gid[3])
	if ours, err := credentialsOf(unix.Gettid()); err != nil || ours.uid != status.uid || ours.gid != status.gid || !slices.Equal(ours.groups, status.groups) {
		c.ids = 1
	}
	if n := len(status.groups); n > 0 {
		size := C.size_t(n) * C.size_t(unsafe.Sizeof(C.gid_t(0)))
		groups = C.malloc(size)
		copy(unsafe.Slice((*uint32)(groups), n), status.groups)
		c.groups, c.ngroups = (*C.gid_t)(groups), C.int(n)
	}
	return c, release, nil
}

// sharesWithUs compares what a link of the target's /proc directory leads to
// with what ours does: a namespace, or a directory on the same mount.
func (t *thread) sharesWithUs(name string) bool {
	var theirs, ours unix.Statx_t
	const mask = unix.STATX_INO | unix.STATX_MNT_ID
	if unix.Statx(unix.AT_FDCWD, fmt.Sprintf("/proc/%d/%s", t.tid, name), 0, mask, &theirs) != nil ||
		unix.Statx(unix.AT_FDCWD, "/proc/thread-self/"+name, 0, mask, &ours) != nil {
		return false
	}
	return theirs.Ino == ours.Ino && theirs.Mnt_id == ours.Mnt_id &&
		theirs.Dev_major == ours.Dev_major && theirs.Dev_minor == ours.Dev_minor
}

// reserveLowFDs takes the fds that the kernel copies into every table that a
// helper begins with: no file of a target gets one. Under a limit that is near
// it takes none.
func reserveLowFDs() {
	const first = 64 // NR_OPEN_DEFAULT, the bits of a long
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur < 4*first {
		return
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for ; err == nil && null < first; null, err = unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 0) {
	}
	if err == nil {
		unix.Close(null)
	}
}
