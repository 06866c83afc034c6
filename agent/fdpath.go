package agent

import (
	"bytes"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
)

// fdPath is a path of an AF_UNIX socket that begins at a directory of which the caller has
// an fd. Programs write it so where the whole path has no room in a sockaddr (conmon does).
var fdPath = regexp.MustCompile(`^(?:/proc/(?:thread-)?self|/dev)/fd/(\d+)/+([^\x00]+)`)

// fromDirectory returns the call with a relative path and its directory, if its path names
// the directory by an fd: /proc/self is another process in the helper. Otherwise it returns
// the call as it is. The caller closes the directory of the call.
func (a *attempt) fromDirectory(call target.Call) target.Call {
	const family = 2 // the size of sun_family
	if a.kind.domain != unix.AF_UNIX || a.call.kind != target.Bind || len(call.Argument) < family {
		return call
	}
	path := fdPath.FindSubmatch(call.Argument[family:])
	if path == nil {
		return call
	}
	number, err := strconv.Atoi(string(path[1]))
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
	call.Argument = append(bytes.Clone(call.Argument[:family]), path[2]...)
	call.Directory = directory
	return call
}
