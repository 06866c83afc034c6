package target

/*
#cgo CFLAGS: -fno-plt
#include "helper.h"
#include "spawner.h"
*/
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/fork"
)

// A spawner is the process that forks the helpers of this process, and keeps a few of them
// ready (spawner.c). It ends with this process.
type spawner struct {
	pidfd  int
	ours   credentials // of its helpers, before they take on others
	anyIDs bool        // they can take any uid, gid and group in their user namespace

	mu       sync.RWMutex // held for reading as long as requests is used
	requests int          // a socket, or -1
}

// spawners has the one spawner of this process, if there is one.
var spawners struct {
	mu       sync.Mutex
	current  *spawner
	confined bool // this process can start no other one, so it keeps this one's fds
}

// takeLimit is how long a request may wait for a helper that takes it.
const takeLimit = 5 * time.Second

var (
	// errNotTaken means that a request ended with its spawner, before a helper took it.
	errNotTaken = errors.New("the process that starts helpers has ended")

	// ErrNoHelpers means that no helper will make a call any more: the process that
	// StartHelpers started has ended, and this one can't start another.
	ErrNoHelpers = errors.New("the process that starts helpers has ended, and the agent has not " +
		"the privileges to start another one: restart the agent")
)

// StartHelpers starts the process that makes the calls of MakeCall, for a process that can't
// start it later because it is going to confine itself. Helpers are under the filter, and have
// no capabilities but those in the set.
//
// It returns an fd that sends requests. Without StartHelpers, the first call starts the process.
func StartHelpers(filter []unix.SockFilter, capabilities uint64) (requests int, err error) {
	spawners.mu.Lock()
	defer spawners.mu.Unlock()
	s, err := startSpawner(filter, capabilities)
	if err != nil {
		return -1, err
	}
	spawners.current, spawners.confined = s, true
	return s.requests, nil
}

// AwaitHelpersEnd returns once the process that StartHelpers started has ended.
func AwaitHelpersEnd() {
	spawners.mu.Lock()
	ended := []unix.PollFd{{Fd: int32(spawners.current.pidfd), Events: unix.POLLIN}}
	spawners.mu.Unlock()
	for n := 0; n < 1; { // a signal may come
		n, _ = unix.Poll(ended, -1)
	}
}

// theSpawner returns the spawner of this process, which it starts if there is none.
func theSpawner() (*spawner, error) {
	spawners.mu.Lock()
	defer spawners.mu.Unlock()
	if spawners.current != nil {
		return spawners.current, nil
	}
	s, err := startSpawner(nil, ^uint64(0))
	spawners.current = s
	return s, err
}

// startSpawner forks a spawner, which has the credentials of the calling thread.
func startSpawner(filter []unix.SockFilter, capabilities uint64) (s *spawner, err error) {
	defer func() {
		if err != nil {
			s, err = nil, fmt.Errorf("start the process that starts helpers: %w", err)
		}
	}()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// The memory is copied, and nobody may look at the copy either.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, err
	}
	ours, err := credentialsOf(unix.Gettid())
	if err != nil {
		return nil, err
	}
	caps, err := readCapabilities()
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var pinned runtime.Pinner
	defer pinned.Unpin()
	told := C.struct_spawner{requests: C.int(pair[1]), caps: C.uint64_t(capabilities)}
	if len(filter) > 0 {
		pinned.Pin(&filter[0])
		told.filter_length = C.ushort(len(filter))
		told.filter = (*C.struct_sock_filter)(unsafe.Pointer(&filter[0]))
	}
	// No exit signal: a supervisor that waits for its children with wait4(-1) must not
	// reap the spawner. No CLONE_VM: a change of credentials must not change the dumpable flag
	// of the supervisor's memory.
	var pidfd int32
	if _, err = fork.Start(0, C.spawner_run, unsafe.Pointer(&told), &pidfd); err != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return nil, err
	}
	const anyIDs = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID
	s = &spawner{
		pidfd: int(pidfd), requests: pair[0],
		ours: ours, anyIDs: caps.permitted&capabilities&anyIDs == anyIDs,
	}
	unix.Close(pair[1]) // or the spawner's end would not be seen
	limit := unix.NsecToTimeval(takeLimit.Nanoseconds())
	err = unix.SetsockoptTimeval(s.requests, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	if err == nil {
		err = s.answer()
	}
	if err != nil {
		s.end()
	}
	return s, err
}

// answer waits until the spawner says that it serves.
func (s *spawner) answer() error {
	var report [4]byte
	for {
		switch n, err := unix.Read(s.requests, report[:]); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n < len(report):
			return errors.New("it was killed")
		}
		if errno := unix.Errno(binary.NativeEndian.Uint32(report[:])); errno != 0 {
			return errno
		}
		return nil
	}
}

// end closes what this process has of the spawner, which then ends.
func (s *spawner) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests < 0 {
		return
	}
	unix.Close(s.requests)
	s.requests = -1
	_ = unix.PidfdSendSignal(s.pidfd, unix.SIGKILL, nil, 0) // it may be stopped
	reap(s.pidfd)
	unix.Close(s.pidfd)
}

// lost takes note that a request to the spawner was lost: the spawner has ended, or is about to,
// or a helper was killed. Whichever it is, another spawner is better, if there can be one.
func (s *spawner) lost(ended bool) error {
	spawners.mu.Lock()
	confined := spawners.confined
	if !confined && spawners.current == s {
		spawners.current = nil
	}
	spawners.mu.Unlock()
	if !confined {
		s.end()
	} else if ended {
		return fmt.Errorf("%w: %w", ErrNotMade, ErrNoHelpers)
	}
	return errNotTaken
}

// send sends a request, whose fds the kernel duplicates.
func (s *spawner) send(h *C.struct_helper, fds []int) error {
	request := unsafe.Slice((*byte)(unsafe.Pointer(h)), unsafe.Sizeof(*h))
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.requests < 0 {
		return errNotTaken
	}
	for {
		err := unix.Sendmsg(s.requests, request, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL)
		switch err {
		case unix.EINTR:
			continue
		case unix.EPIPE, unix.ECONNRESET:
			return errNotTaken
		case unix.EAGAIN:
			return fmt.Errorf("%w: no helper was free within %s", ErrNotMade, takeLimit)
		case nil:
			return nil
		}
		return fmt.Errorf("%w: send it to a helper: %w", ErrNotMade, err)
	}
}

// ask lets a helper do what the request says, and returns the result. fds are those of the
// request, without the first two.
func (s *spawner) ask(h *C.struct_helper, fds []int) (r C.struct_helper_result, err error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return r, fmt.Errorf("%w: %w", ErrNotMade, err)
	}
	defer unix.Close(pipe[0])
	ticket, err := unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		defer unix.Close(ticket)
		err = s.send(h, append([]int{C.REPLY: pipe[1], C.TICKET: ticket}, fds...))
	} else {
		err = fmt.Errorf("%w: %w", ErrNotMade, err)
	}
	unix.Close(pipe[1]) // the others are those of the request and of its helper
	sent := err == nil
	if sent {
		err = await(pipe[0], ticket, unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r)))
	}
	if errors.Is(err, errNotTaken) {
		err = s.lost(!sent)
	}
	return r, err
}

// await reads the result of a helper. It returns only once no helper can make the call any more.
func await(pipe, ticket int, result []byte) error {
	const once = 8 // bytes
	withdraw := func() bool {
		n, err := unix.Read(ticket, make([]byte, once))
		return err == nil && n == once
	}
	began := time.Now()
	ready := []unix.PollFd{{Fd: int32(pipe), Events: unix.POLLIN}}
	for left := takeLimit; ; left = takeLimit - time.Since(began) {
		n, err := unix.Poll(ready, max(0, int(left.Milliseconds())))
		if n == 0 && withdraw() {
			return fmt.Errorf("%w: no helper took it within %s: no process can be started",
				ErrNotMade, takeLimit)
		}
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	// A helper has taken it, and ends itself after CallLimit.
	n, err := unix.Read(pipe, result)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(pipe, result)
	}
	switch {
	case err == nil && n == len(result):
		return nil
	case withdraw():
		return errNotTaken
	case time.Since(began) >= CallLimit:
		return fmt.Errorf("%w: it took more than %s", ErrNotMade, CallLimit)
	}
	return fmt.Errorf("%w: the helper process was killed", ErrNotMade)
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
