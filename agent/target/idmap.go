package target

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// An idMap is the text of /proc/PID/uid_map or gid_map, user_namespaces(7): which ids of
// a user namespace are which outside of it. Outside is the namespace of this process, or
// its parent in the map of this process's own namespace.
type idMap []idRange

type idRange struct{ inside, outside, length uint64 }

// readIDMap reads the map name in a directory of /proc.
func readIDMap(directory int, name string) (m idMap, err error) {
	fd, err := unix.Openat(directory, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(file); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	for line := range bytes.Lines(text.Bytes()) {
		var r idRange
		if _, err := fmt.Sscan(string(line), &r.inside, &r.outside, &r.length); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		m = append(m, r)
	}
	return m, nil
}

// hasInside reports whether the map has a number for the id of the namespace.
func (m idMap) hasInside(id uint32) bool {
	for _, r := range m {
		if r.inside <= uint64(id) && uint64(id)-r.inside < r.length {
			return true
		}
	}
	return false
}

// inside returns the number in the namespace of an id outside of it.
func (m idMap) inside(id uint32) (number uint32, ok bool) {
	for _, r := range m {
		if r.outside <= uint64(id) && uint64(id)-r.outside < r.length {
			return uint32(uint64(id) - r.outside + r.inside), true
		}
	}
	return 0, false
}
