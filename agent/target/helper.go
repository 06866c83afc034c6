package target

/*
#include "helper.h"
#include "spawner.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CallLimit is the time after which a helper process ends itself.
const CallLimit = C.HELPER_SECONDS * time.Second

var (
	// ErrNotMade means that a call could not be made in the target's place. The
	// call was not made, unless its helper was killed in it.
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

	// Abandoned reports, if it is not nil, that nobody will ever wait for the outcome. It is asked
	// of a call that takes longer than CallLimit.
	Abandoned func() bool
}

// MakeCall makes the call in a helper process, which has the target's user
// namespace, ids, capabilities, root, working directory and umask, and ends with
// the call. The kernel decides as it would for the target, and no thread of the
// target can change what was checked.
//
// valid is called after the target's identity was read, and before the call. The
// error is the bare errno of the call, or wraps ErrNotMade, or is ErrWithdrawn if
// valid returned false, or the call was abandoned. Two things remain the agent's: the pid
// (SO_PEERCRED of a listener, a netlink port id) and the LSM label.
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
	var err error
	began := time.Now()
	// The spawner may have ended, or each of the helpers that are ready.
	for tries := 0; tries < C.READY+2 && time.Since(began) < takeLimit; tries++ {
		if err = t.tryCall(c, valid); !errors.Is(err, errNotBegun) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrNotMade, err)
}

func (t *Thread) tryCall(c Call, valid func() bool) error {
	s, err := theSpawner()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotMade, err)
	}
	h := &C.struct_helper{unprivileged: 1, groups: -1, userns: -1, outer: -1, root: -1, cwd: -1}
	if !c.Unprivileged {
		identity, release, err := t.identity(s)
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
	result, err := s.ask(h, takeFDs(h), c.Abandoned)
	if err != nil {
		return err
	}
	return errorOf(result)
}

// takeFDs returns the fds of a request, and puts their indexes in their places. An fd that is
// in two places has one index.
func takeFDs(h *C.struct_helper) (fds []int) {
	for _, fd := range []*C.int{
		&h.sock, &h.embedded, &h.groups, &h.userns, &h.outer, &h.root, &h.cwd,
	} {
		if *fd < 0 {
			continue
		}
		index := slices.Index(fds, int(*fd))
		if index < 0 {
			index = len(fds)
			fds = append(fds, int(*fd))
		}
		*fd = C.int(C.OTHER_FDS + index)
	}
	return fds
}

// errorOf returns the error of a result.
func errorOf(result C.struct_helper_result) error {
	errno := unix.Errno(result.error)
	if result.step != C.STEP_CALL {
		what := map[C.int]string{
			C.STEP_IDS: "take its user and groups",
			C.STEP_OUTER_GROUPS: "take its groups in its user namespace, or else " +
				"start the agent with the groups of the container",
			C.STEP_OUTER_IDS: "take its user and group in its user namespace",
			C.STEP_USERNS:    "enter its user namespace",
			C.STEP_ROOT:      "enter its root directory",
			C.STEP_CWD:       "enter its working directory",
			C.STEP_CAPS:      "take its capabilities",

			C.STEP_OWN_USERNS: "make a user namespace (user.max_user_namespaces)",
		}[result.step]
		return fmt.Errorf("%w: %s: %w", ErrNotMade, what, errno)
	}
	if errno != 0 {
		return errno
	}
	return nil
}
