// Package fork starts a child process that runs a C function on a copy of this
// process's memory.
//
// The memory is that of a process with many threads, of which the child has only
// one. A lock that another thread held stays locked in the child for ever. So the
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

// Start forks a child that calls the C function run, a void (*)(void *), with
// argument, and exits with status 0 when it returns. Every signal is blocked in
// the child. flags are those of clone(2), with the child's exit signal.
//
// The child has the credentials, the signal mask and the other attributes of the
// calling thread, so the caller must be locked to it.
func Start(flags uintptr, run, argument unsafe.Pointer) (pid, pidfd int, err error) {
	var fd C.int
	child := C.fork_and_run(C.ulong(flags), C.function(run), argument, &fd)
	if child < 0 {
		return -1, -1, unix.Errno(-child)
	}
	return int(child), int(fd), nil
}
