package supervise

// #include <stdlib.h>
// #include "child.h"
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fork"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// A child is the process that becomes CMD.
type child struct {
	name       string // of CMD
	pid, pidfd int
	conn       int // the supervisor's end of its socket pair with the child

	toldToEnd atomic.Bool // the supervisor was, by one of endSignals
}

const (
	// startLimit is how long the child may take to load the filter.
	startLimit = 30 * time.Second
	// endLimit is how long the child may take to end when it could not be attached.
	endLimit = 2 * time.Second
)

// errSilent means that the child ended or was killed before it sent a report.
var errSilent = errors.New("the child ended before it loaded the filter")

// start starts the child.
func (c Command) start(notifications *notifications) (*child, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket pair for the child: %w", err)
	}
	told, unpin := c.tell(notifications)
	told.socket, told.parent_socket = C.int(pair[1]), C.int(pair[0])
	ended := make(chan error, 1)
	go func() {
		// A thread of its own, since it has to wait until the child has executed CMD.
		const flags = unix.CLONE_VM | unix.CLONE_VFORK | uintptr(unix.SIGCHLD)
		pid, err := fork.Start(flags, C.run_child, unsafe.Pointer(told), (*int32)(&told.pidfd))
		if err == nil {
			told.pid = C.pid_t(pid) // for a child that was killed before it could say so
		}
		unpin()
		ended <- err
		unix.Close(pair[1]) // now nobody has this end any more
	}()
	started := &child{name: c.Args[0], conn: pair[0]}
	if _, err := started.hear(0); err != nil {
		unix.Close(pair[0])
		return nil, err
	}
	if told.pid == 0 {
		if err := <-ended; err != nil {
			unix.Close(pair[0])
			return nil, fmt.Errorf("start the child: %w", err)
		}
	}
	started.pid, started.pidfd = int(told.pid), int(told.pidfd)
	return started, nil
}

// tell returns what the child needs to know. unpin is to be called when the child shares this
// process's memory no more.
func (c Command) tell(notifications *notifications) (told *C.struct_child, unpin func()) {
	var pinned runtime.Pinner
	str := func(text string) *byte {
		first := &append([]byte(text), 0)[0]
		pinned.Pin(first)
		return first
	}
	argv := func(args []string) **C.char {
		list := make([]*byte, len(args)+1)
		for i, arg := range args {
			list[i] = str(arg)
		}
		pinned.Pin(&list[0])
		return (**C.char)(unsafe.Pointer(&list[0]))
	}
	told = &C.struct_child{
		supervisor: C.pid_t(os.Getpid()),
		ruleset:    C.int(c.Ruleset), flags: C.uint(c.FilterFlags),
		length: C.ushort(len(c.Filter)),
		argv:   argv(c.Args), shell: argv(slices.Concat([]string{"/bin/sh", ""}, c.Args[1:])),
	}
	if len(c.Filter) > 0 {
		pinned.Pin(&c.Filter[0])
		told.filter = (*C.struct_sock_filter)(unsafe.Pointer(&c.Filter[0]))
	}
	switch {
	case c.Forks:
		told.notify = (*C.char)(unsafe.Pointer(str("")))
	case notifications != nil:
		told.notify = (*C.char)(unsafe.Pointer(str("NOTIFY_SOCKET=" + notifications.address())))
	}
	paths, searched := candidates(c.Args[0])
	told.paths = argv(paths)
	if searched {
		told.searched = 1
	}
	return told, pinned.Unpin
}

// converse takes the notify fd from the child, attaches it, and tells the child to
// execute CMD. It returns nil if CMD runs, or if the child was killed just before. An
// error is a failure or errSilent.
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
		_, _ = c.hear(endLimit)
		message := fmt.Sprintf("attach the command to the supervisor: %v", err)
		return failure{message, cli.StatusFailure}
	}
	_, _ = unix.Write(c.conn, []byte("\n")) // fails if the child was killed
	_, err = c.hear(0)
	return err
}

// hear waits for a report of the child. It returns the notify fd, or -1 if the child has
// closed its end and will send no more reports, or an error if the child reports one. It
// kills a child that sends nothing within the limit, where 0 is no limit.
func (c *child) hear(limit time.Duration) (notifyFD int, err error) {
	timeout := unix.NsecToTimeval(limit.Nanoseconds())
	err = unix.SetsockoptTimeval(c.conn, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)
	if err != nil {
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
		message := fmt.Sprintf("the child did not load the filter within %s", limit)
		return -1, failure{message, cli.StatusFailure}
	}
	if n < len(report) {
		return -1, nil
	}
	errno := unix.Errno(binary.NativeEndian.Uint32(report[4:]))
	switch stage := binary.NativeEndian.Uint32(report[:]); stage {
	case C.STAGE_BORN:
		return -1, nil
	case C.STAGE_LOADED:
		return receivedFD(rights[:length])
	case C.STAGE_EXEC:
		return -1, cannotRun(c.name, errno)
	default:
		return -1, childFailure(stage, errno)
	}
}

// receivedFD returns the fd in a control message. The kernel leaves the fd out if this
// process is at its limit of open files.
func receivedFD(rights []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err == nil && len(messages) == 1 {
		if fds, err := unix.ParseUnixRights(&messages[0]); err == nil && len(fds) == 1 {
			return fds[0], nil
		}
	}
	return -1, failure{
		"receive the notify fd: no fd is free; raise the limit of open files (ulimit -n)",
		cli.StatusFailure,
	}
}
