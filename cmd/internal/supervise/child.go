package supervise

// #include <stdlib.h>
// #include "child.h"
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fork"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// child is the process that becomes CMD.
type child struct {
	name       string // of CMD
	pid, pidfd int
	conn       int // our end of the conversation
}

const (
	// startLimit is for a child that hangs before it is under the filter.
	startLimit = 30 * time.Second
	// patience is for one that hangs or is stopped when the engine did not want it.
	patience = 2 * time.Second
)

// errSilent is of a child that ended, or was killed, without a word.
var errSilent = errors.New("the child ended before it was under the filter")

// start forks. To be called on a thread whose credentials and signal mask are to be CMD's.
func (c Command) start() (*child, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socketpair for the child: %w", err)
	}
	defer unix.Close(pair[1])
	var pinned runtime.Pinner
	defer pinned.Unpin()
	argv := func(args []string) **C.char {
		list := make([]*byte, len(args)+1)
		for i, arg := range args {
			list[i] = &append([]byte(arg), 0)[0]
			pinned.Pin(list[i])
		}
		pinned.Pin(&list[0])
		return (**C.char)(unsafe.Pointer(&list[0]))
	}
	told := C.struct_child{
		ours: C.int(pair[0]), socket: C.int(pair[1]),
		ruleset: C.int(c.Ruleset), flags: C.uint(c.FilterFlags), length: C.ushort(len(c.Filter)),
		argv: argv(c.Args), shell: argv(slices.Concat([]string{"/bin/sh", ""}, c.Args[1:])),
	}
	if len(c.Filter) > 0 {
		pinned.Pin(&c.Filter[0])
		told.filter = (*C.struct_sock_filter)(unsafe.Pointer(&c.Filter[0]))
	}
	paths, searched := candidates(c.Args[0])
	told.paths = argv(paths)
	if searched {
		told.searched = 1
	}
	pid, pidfd, err := fork.Start(uintptr(unix.SIGCHLD), unsafe.Pointer(C.run_child), unsafe.Pointer(&told))
	if err != nil {
		unix.Close(pair[0])
		return nil, fmt.Errorf("start the child: %w", err)
	}
	return &child{name: c.Args[0], pid: pid, pidfd: pidfd, conn: pair[0]}, nil
}

// converse returns nil when CMD runs (or was killed when about to); else a failure, or errSilent.
func (c *child) converse(attach func(pid, notifyFD int) error) error {
	defer unix.Close(c.conn)
	fd, err := c.hear(startLimit)
	if err != nil {
		return err
	}
	if fd < 0 {
		return errSilent
	}
	if err := attach(c.pid, fd); err != nil {
		_ = unix.Shutdown(c.conn, unix.SHUT_WR)
		_, _ = c.hear(patience)
		return failure{fmt.Sprintf("attach the engine: %v", err), cli.StatusFailure}
	}
	_, _ = unix.Write(c.conn, []byte("\n")) // it may have been killed
	_, err = c.hear(0)
	return err
}

// hear returns the notify fd, -1 once the child has no more to say, or what failed. A child that says nothing within the
// limit (0: none) is killed.
func (c *child) hear(limit time.Duration) (notifyFD int, err error) {
	timeout := unix.NsecToTimeval(limit.Nanoseconds())
	if err := unix.SetsockoptTimeval(c.conn, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return -1, failure{fmt.Sprintf("limit the wait for the child: %v", err), cli.StatusFailure}
	}
	var report [unsafe.Sizeof(C.struct_report{})]byte
	rights := make([]byte, unix.CmsgSpace(4))
	n, length, _, _, err := unix.Recvmsg(c.conn, report[:], rights, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, length, _, _, err = unix.Recvmsg(c.conn, report[:], rights, unix.MSG_CMSG_CLOEXEC)
	}
	if err == unix.EAGAIN {
		_ = unix.PidfdSendSignal(c.pidfd, unix.SIGKILL, nil, 0)
		return -1, failure{fmt.Sprintf("the child is not under the filter after %s", limit), cli.StatusFailure}
	}
	if n < len(report) {
		return -1, nil
	}
	errno := unix.Errno(binary.NativeEndian.Uint32(report[4:]))
	switch stage := binary.NativeEndian.Uint32(report[:]); stage {
	case C.STAGE_LOADED:
		return receivedFD(rights[:length])
	case C.STAGE_EXEC:
		return -1, cannotRun(c.name, errno)
	default:
		what := map[uint32]string{C.STAGE_PRIVILEGES: "set no_new_privs", C.STAGE_LOCK: "set up the second lock", C.STAGE_FILTER: "load the filter"}[stage]
		return -1, failure{fmt.Sprintf("%s: %v", what, errno), cli.StatusFailure}
	}
}

func receivedFD(rights []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err == nil && len(messages) == 1 {
		if fds, err := unix.ParseUnixRights(&messages[0]); err == nil && len(fds) == 1 {
			return fds[0], nil
		}
	}
	return -1, failure{"take the notify fd: no room for it; raise the limit of open files (ulimit -n)", cli.StatusFailure}
}
