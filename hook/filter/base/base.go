// Package base has the seccomp profiles into which the filter is merged: the default
// profile of the engines, and those in files. It is apart from package filter because the
// programs that a container waits for while it starts need no default profile.
package base

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/hook/filter"
)

// DefaultName is the name of the Default profile, in the place of a file.
const DefaultName = "default"

// Usage and Missing are the help of the flag --base, and the warning of a command that
// was called without it.
const (
	Usage = "`FILE` with the profile to merge the filter into, or " + DefaultName +
		" for the default profile that Docker, containerd and CRI-O share" +
		" (without: a profile that allows every other system call)"
	Missing = "without --base the profile allows every other system call: a container that gets" +
		" it loses the engine's default profile; write --base " + DefaultName +
		" to keep that one, or --base FILE for another"
)

// Read returns the profile of a name: Default, the one in a file, or nil for "". A file
// with the name default is ./default.
func Read(name string) (*specs.LinuxSeccomp, error) {
	switch name {
	case "":
		return nil, nil
	case DefaultName:
		return Default()
	}
	return filter.ReadProfile(name)
}
