package target

// #include "helper.h"
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// takeLimit is how long a request may wait for a helper that takes it.
const takeLimit = 5 * time.Second

// patience is how long a helper that has taken a request is waited for, whoever waits for the
// call. It ends itself before, unless it is stopped or the kernel does not let it. A variable for
// tests.
var patience = CallLimit + time.Second

var (
	// errNotBegun means that a request ended with its spawner or its helper, before a helper made
	// the call.
	errNotBegun = errors.New("the process that starts helpers has ended")

	// errKilled means that a helper ended in the call. Whether the call is made is not known.
	errKilled = errors.New("the helper process was killed")
)

// send sends a request, whose fds the kernel duplicates.
func (s *spawner) send(h *C.struct_helper, fds []int) error {
	request := unsafe.Slice((*byte)(unsafe.Pointer(h)), unsafe.Sizeof(*h))
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.requests < 0 {
		return errNotBegun
	}
	for {
		err := unix.Sendmsg(s.requests, request, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL)
		switch err {
		case unix.EINTR:
			continue
		case unix.EPIPE, unix.ECONNRESET:
			return errNotBegun
		case unix.EAGAIN:
			return fmt.Errorf("%w: no helper was free within %s", ErrNotMade, takeLimit)
		case nil:
			return nil
		}
		return fmt.Errorf("%w: send it to a helper: %w", ErrNotMade, err)
	}
}

// ask lets a helper do what the request says, and returns the result. fds are those of the
// request, without the first two. abandoned is that of the Call.
func (s *spawner) ask(
	h *C.struct_helper, fds []int, abandoned func() bool,
) (r C.struct_helper_result, err error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return r, fmt.Errorf("%w: %w", ErrNotMade, err)
	}
	defer unix.Close(pipe[0])
	ticket, err := unix.Eventfd(C.TICKET_FREE, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		defer unix.Close(ticket)
		err = s.send(h, append([]int{C.REPLY: pipe[1], C.TICKET: ticket}, fds...))
	} else {
		err = fmt.Errorf("%w: %w", ErrNotMade, err)
	}
	unix.Close(pipe[1]) // the others are those of the request and of its helper
	if err == nil {
		result := unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r))
		err = await(pipe[0], ticket, result, abandoned)
	}
	if errors.Is(err, errNotBegun) || errors.Is(err, errKilled) {
		err = s.lost(err)
	}
	return r, err
}

// await reads the result of a helper. It returns only once no helper can make the call any more,
// unless the call is abandoned: then a helper may still hang in it.
func await(pipe, ticket int, result []byte, abandoned func() bool) error {
	begun := false
	withdraw := func() bool {
		var value [8]byte
		_, _ = unix.Read(ticket, value[:])
		found := binary.NativeEndian.Uint64(value[:])
		begun = begun || found == C.TICKET_BEGUN
		return found == C.TICKET_FREE
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
	for next := time.Now().Add(patience); ; {
		n, _ := unix.Poll(ready, max(0, int(time.Until(next).Milliseconds())))
		if n > 0 {
			break
		}
		if time.Now().Before(next) { // a signal came
			continue
		}
		if abandoned != nil && abandoned() {
			return ErrWithdrawn
		}
		next = time.Now().Add(time.Second)
	}
	n, err := unix.Read(pipe, result)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(pipe, result)
	}
	if err == nil && n == len(result) {
		return nil
	}
	switch taken := !withdraw(); {
	case taken && time.Since(began) >= CallLimit:
		return fmt.Errorf("%w: it took more than %s", ErrNotMade, CallLimit)
	case !begun:
		return errNotBegun
	}
	return fmt.Errorf("%w: %w", ErrNotMade, errKilled)
}
