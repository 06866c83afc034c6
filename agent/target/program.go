package target

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Program is what a thread runs, for people to read. The target chooses all of it but UID.
type Program struct {
	Name string // of the thread, PR_SET_NAME
	Exe  string // the path of the program's file in the target's root directory, or ""
	UID  int64  // the effective user id, as the target's user namespace numbers it, or -1
}

// Program returns what the thread runs, as far as it can be found out. No target can block this.
func (t *Thread) Program() (p Program) {
	directory := "/proc/" + strconv.Itoa(t.tid)
	if name, err := os.ReadFile(directory + "/comm"); err == nil {
		p.Name = strings.TrimSuffix(string(name), "\n")
	}
	p.Exe, _ = os.Readlink(directory + "/exe")
	p.UID = t.ownUID(directory)
	return p
}

// ownUID returns Program.UID.
func (t *Thread) ownUID(directory string) int64 {
	c, err := credentialsOf(t.tid)
	if err != nil {
		return -1
	}
	fd, err := unix.Open(directory, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	defer unix.Close(fd)
	users, err := readIDMap(fd, "uid_map")
	if err != nil {
		return -1
	}
	if uid, ok := users.inside(c.uid[1]); ok {
		return int64(uid)
	}
	return -1
}
