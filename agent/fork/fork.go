// Package fork starts a child process that runs a C function on this process's memory, or
// on a copy of it.
//
// The memory is that of a process with many threads, of which the child has only
// one. A lock that another thread held stays locked in a copy for ever. So the
// function may make raw system calls and nothing else: no Go code, no allocation,
// no libc function that takes a lock or signals other threads.
package fork

// #include "fork.h"
// typedef void (*function)(void *);
import "C"

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Start starts a child that calls the C function run, a void (*)(void *), with
// argument, and exits with status 0 when it returns. Every signal is blocked in
// the child. flags are those of clone(2), with the child's exit signal. With CLONE_VFORK,
// Start returns once the child has executed a program or ended, but pidfd is set before.
//
// The child has the credentials, the signal mask and the other attributes of the
// calling thread, so the caller must be locked to it.
func Start(flags uintptr, run, argument unsafe.Pointer, pidfd *int32) (pid int, err error) {
	child := C.fork_and_run(C.int(flags), C.function(run), argument, (*C.int)(pidfd))
	if child < 0 {
		return -1, unix.Errno(-child)
	}
	return int(child), nil
}
