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

// ErrNoHelpers means that no helper will make a call any more: the process that StartHelpers
// started has ended, and this one can't start another.
var ErrNoHelpers = errors.New("the process that starts helpers has ended, and the agent has not " +
	"the privileges to start another one: restart the agent")

// StartHelpers starts the process that makes the calls of MakeCall, for a process that can't
// start it later because it is going to confine itself. Helpers are under the filter, and have
// no capabilities but those in the set.
//
// It returns an fd that sends requests. Without StartHelpers, the first call starts the process.
func StartHelpers(filter []unix.SockFilter, capabilities uint64) (requests int, err error) {
	spawners.mu.Lock()
	defer spawners.mu.Unlock()
	s, err := startSpawner(filter, capabilities, nice)
	if err != nil {
		return -1, err
	}
	spawners.current, spawners.confined = s, true
	return s.requests, nil
}

// AwaitHelpersEnd returns once the process that StartHelpers started has ended.
func AwaitHelpersEnd() {
	spawners.mu.Lock()
	s := spawners.current
	spawners.mu.Unlock()
	s.ended(-1)
}

// theSpawner returns the spawner of this process, which it starts if there is none.
func theSpawner() (*spawner, error) {
	spawners.mu.Lock()
	defer spawners.mu.Unlock()
	if spawners.current != nil {
		return spawners.current, nil
	}
	s, err := startSpawner(nil, ^uint64(0), 0)
	spawners.current = s
	return s, err
}

// nice is what the helpers of an agent add to its niceness: a helper works for one container, and
// gives way to the service of all.
const nice = 10

// startSpawner forks a spawner, which has the credentials of the calling thread.
func startSpawner(
	filter []unix.SockFilter, capabilities uint64, nice int,
) (s *spawner, err error) {
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
	told := C.struct_spawner{
		requests: C.int(pair[1]), caps: C.uint64_t(capabilities), nice: C.int(nice),
	}
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
		switch errno := int32(binary.NativeEndian.Uint32(report[:])); {
		case errno < 0: // it would keep the memory of this process
			return fmt.Errorf("read /proc/self/maps there: %w", unix.Errno(-errno))
		case errno > 0:
			return unix.Errno(errno)
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

// lost returns the error of a request that was lost: a helper was killed, or the spawner and its
// helpers with it. Another spawner takes the next request, if there can be one.
func (s *spawner) lost(err error) error {
	if !s.ended(endLimit) {
		return err
	}
	spawners.mu.Lock()
	confined := spawners.confined
	if !confined && spawners.current == s {
		spawners.current = nil
	}
	spawners.mu.Unlock()
	if confined {
		return fmt.Errorf("%w: %w", ErrNotMade, ErrNoHelpers)
	}
	s.end()
	return err
}

// endLimit is how many milliseconds a killed spawner may take to end: its helpers are killed
// before its pidfd says so.
const endLimit = 1000

// ended waits for the end of the spawner, and reports whether it came within the limit, which is
// in milliseconds, or -1.
func (s *spawner) ended(limit int) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.requests < 0 {
		return true
	}
	pidfd := []unix.PollFd{{Fd: int32(s.pidfd), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(pidfd, limit); err == nil { // or a signal came
			return n > 0
		}
	}
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
