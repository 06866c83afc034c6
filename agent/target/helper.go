package target

/*
#include <stdlib.h>
#include "helper.h"
*/
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fork"
)

// callLimit is the time after which a helper process ends itself.
const callLimit = C.HELPER_SECONDS * time.Second

var (
	// ErrNotMade means that a call could not be made in the target's place. The
	// call was not made.
	ErrNotMade = errors.New("the call can't be made in the target's context")

	// ErrWithdrawn means that nobody waits for the answer any more.
	ErrWithdrawn = errors.New("the notification was withdrawn")
)

// A Kind is the system call of a Call.
type Kind int

// The calls that can be made in a target's place.
const (
	Bind       Kind = C.CALL_BIND
	Listen     Kind = C.CALL_LISTEN
	Setsockopt Kind = C.CALL_SETSOCKOPT
)

// A Call is a system call on a socket of the target.
type Call struct {
	Kind     Kind
	Socket   int    // a duplicate of the target's socket
	Argument []byte // Bind: the sockaddr; Setsockopt: the option's value; at most 128 bytes
	// EmbeddedAt, if it is not 0, is the index in Argument of the int by which the call
	// names another fd of its caller. Embedded is a duplicate of what that fd refers to.
	Embedded, EmbeddedAt int
	// Directory, if it is not 0, is where a relative path in Argument begins, instead of
	// the target's working directory.
	Directory int

	Backlog int // Listen
	Level   int // Setsockopt
	Option  int // Setsockopt

	// Unprivileged makes the call without any capability and without the target's
	// identity, in a user namespace of the helper's own.
	Unprivileged bool
}

// MakeCall makes the call in a helper process, which has the target's user
// namespace, ids, capabilities, root, working directory and umask, and ends with
// the call. The kernel decides as it would for the target, and no thread of the
// target can change what was checked.
//
// valid is called after the target's identity was read, and before the call. The
// error is the bare errno of the call, or wraps ErrNotMade, or is ErrWithdrawn if
// valid returned false. Two things remain the agent's: the pid (SO_PEERCRED of a
// listener, a netlink port id) and the LSM label.
func (t *Thread) MakeCall(c Call, valid func() bool) error {
	err := t.makeCall(c, valid)
	switch {
	case errors.Is(err, ErrNotMade):
		helpersFailed.Add(1)
	case !errors.Is(err, ErrWithdrawn):
		helpersMade.Add(1)
	}
	return err
}

var helpersMade, helpersFailed atomic.Uint64

// HelperResults counts the helper processes of this process: those that made their call, and
// those that could not.
func HelperResults() map[string]uint64 {
	return map[string]uint64{"made": helpersMade.Load(), "failed": helpersFailed.Load()}
}

func (t *Thread) makeCall(c Call, valid func() bool) error {
	h := &C.struct_helper{unprivileged: 1, userns: -1, outer: -1, root: -1, cwd: -1}
	if !c.Unprivileged {
		identity, release, err := t.identity()
		defer release()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotMade, err)
		}
		h = identity
	}
	if c.Directory != 0 {
		h.cwd = C.int(c.Directory)
	}
	if !valid() {
		return ErrWithdrawn
	}
	h.call, h.sock = C.int(c.Kind), C.int(c.Socket)
	h.backlog, h.level, h.option = C.int(c.Backlog), C.int(c.Level), C.int(c.Option)
	h.len = C.uint(copy(unsafe.Slice((*byte)(&h.data[0]), len(h.data)), c.Argument))

	h.embedded, h.embedded_at = -1, C.uint(c.EmbeddedAt)
	if c.EmbeddedAt != 0 {
		h.embedded = C.int(c.Embedded)
	}

	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("%w: %w", ErrNotMade, err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	h.pipe = C.int(pipe[1])
	h.agent, h.fetches = C.pid_t(os.Getpid()), C.helper_can_fetch()

	// No exit signal: a supervisor that waits for its children with wait4(-1) must
	// not reap the helper. No CLONE_VM: a change of credentials must not change the
	// dumpable flag of the agent's memory.
	var flags uintptr
	if h.fetches != 0 {
		flags = unix.CLONE_FILES
	}
	_, pidfd, err := fork.Start(flags, C.helper_run, unsafe.Pointer(h))
	if err != nil {
		return fmt.Errorf("%w: start a helper process: %w", ErrNotMade, err)
	}
	defer unix.Close(pidfd)
	defer reap(pidfd)
	return readResult(pipe[0], pidfd)
}

// readResult waits for the result of the helper, at most callLimit.
func readResult(pipe, pidfd int) error {
	ready := []unix.PollFd{
		{Fd: int32(pipe), Events: unix.POLLIN},
		{Fd: int32(pidfd), Events: unix.POLLIN},
	}
	deadline := time.Now().Add(callLimit)
	for {
		n, err := unix.Poll(ready, int(time.Until(deadline).Milliseconds()))
		if errors.Is(err, unix.EINTR) && time.Now().Before(deadline) {
			continue
		}
		if n <= 0 {
			_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
			return fmt.Errorf("%w: it took more than %s", ErrNotMade, callLimit)
		}
		break
	}
	if ready[0].Revents&unix.POLLIN == 0 { // the helper has ended; it may have written since
		_, _ = unix.Poll(ready[:1], 0)
	}
	if ready[0].Revents&unix.POLLIN == 0 {
		return fmt.Errorf("%w: the helper process was killed", ErrNotMade)
	}
	var result [unsafe.Sizeof(C.struct_helper_result{})]byte
	if n, err := unix.Read(pipe, result[:]); err != nil || n < len(result) {
		return fmt.Errorf("%w: the helper process was killed", ErrNotMade)
	}
	step := binary.NativeEndian.Uint32(result[:])
	errno := unix.Errno(binary.NativeEndian.Uint32(result[4:]))
	if step != C.STEP_CALL {
		what := map[uint32]string{
			C.STEP_IDS: "take its user and groups",
			C.STEP_OUTER_GROUPS: "take its groups in its user namespace, or else " +
				"start the agent with the groups of the container",
			C.STEP_OUTER_IDS: "take its user and group in its user namespace",
			C.STEP_USERNS:    "enter its user namespace",
			C.STEP_ROOT:      "enter its root directory",
			C.STEP_CWD:       "enter its working directory",
			C.STEP_CAPS:      "take its capabilities",

			C.STEP_OWN_USERNS: "make a user namespace (user.max_user_namespaces)",
		}[step]
		return fmt.Errorf("%w: %s: %w", ErrNotMade, what, errno)
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

// ReserveLowFDs occupies, with /dev/null, every fd below 64: the kernel copies these
// into a new file table even if the table is to be empty, and a helper would get a
// target's files. It does nothing if the limit of open files is hardly larger.
func ReserveLowFDs() {
	const first = 64 // NR_OPEN_DEFAULT, the number of bits in a long
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur < 4*first {
		return
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	for err == nil && null < first {
		null, err = unix.FcntlInt(uintptr(null), unix.F_DUPFD_CLOEXEC, 0)
	}
	if err == nil {
		unix.Close(null)
	}
}
