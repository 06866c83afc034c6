package agent

import (
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// ownPath is a path of an AF_UNIX socket that begins at a directory of the caller: one of which
// the caller has an fd, the working directory, or the root. Programs write it so where the whole
// path has no room in a sockaddr (conmon does).
var ownPath = lazyregexp.New(
	`^(?:/proc/(?:thread-)?self/(?:fd/(\d+)|cwd|(root))|/dev/fd/(\d+))/+([^\x00]+)`)

// withoutProc returns a sockaddr_un whose path begins where an ownPath begins: in the directory
// of fd, or without fd in the working directory or the root. For every other path it returns nil.
func withoutProc(sockaddr []byte) (shorter []byte, fd string) {
	const path = 2 // the offset of sun_path
	if len(sockaddr) < path {
		return nil, ""
	}
	own := ownPath().FindSubmatch(sockaddr[path:])
	if own == nil {
		return nil, ""
	}
	begin := sockaddr[:path]
	if own[2] != nil {
		begin = append(slices.Clip(begin), '/')
	}
	return append(slices.Clip(begin), own[4]...), string(own[1]) + string(own[3])
}

// fromDirectory returns the call with a path without proc, since /proc/self is another process in
// the helper. If there is none, it returns the call as it is. The caller closes the directory of
// the call.
func (a *attempt) fromDirectory(call target.Call) target.Call {
	if a.kind.domain != unix.AF_UNIX || a.call.kind != target.Bind {
		return call
	}
	shorter, fd := withoutProc(call.Argument)
	if fd != "" {
		number, err := strconv.Atoi(fd)
		if err != nil {
			return call
		}
		directory, err := a.target.Socket(number)
		if err != nil {
			return call
		}
		var stat unix.Stat_t
		if unix.Fstat(directory, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFDIR {
			unix.Close(directory)
			return call
		}
		call.Directory = directory
	}
	if shorter != nil {
		call.Argument = shorter
	}
	return call
}
