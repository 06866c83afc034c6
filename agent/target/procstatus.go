package target

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A procStatus is the content of /proc/TID/status at one moment,
// proc_pid_status(5).
type procStatus []byte

// readStatus reads the status of thread tid into buffer, or into a larger one if
// it does not fit. It avoids package os, which would double the cost. ENOENT and
// ESRCH mean that the thread has ended.
func readStatus(tid int, buffer []byte) (procStatus, error) {
	name := "/proc/" + strconv.Itoa(tid) + "/status"
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer unix.Close(fd)
	for text := buffer[:0]; ; {
		text = slices.Grow(text, 2048)
		n, err := unix.Read(fd, text[len(text):cap(text)])
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		if n == 0 {
			return procStatus(text), nil
		}
		text = text[:len(text)+n]
	}
}

// field returns the value of the line that begins with name and a colon. It fails
// if there is no such line.
func (s procStatus) field(name string) (string, error) {
	for line := range bytes.Lines(s) {
		if key, value, ok := bytes.Cut(line, []byte(":")); ok && string(key) == name {
			return string(bytes.TrimSpace(value)), nil
		}
	}
	return "", fmt.Errorf("/proc/TID/status has no line %s", name)
}

// parent returns the id of the task's parent, or 0 if it has none that is visible here.
func (s procStatus) parent() (int, error) {
	text, err := s.field("PPid")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// credentials are those of a thread. The ids are numbered as in this process's
// user namespace, in the order real, effective, saved, file system.
type credentials struct {
	uid, gid  [4]uint32
	groups    []uint32
	umask     uint32
	effective uint64 // capabilities
}

func credentialsOf(tid int) (credentials, error) {
	s, err := readStatus(tid, nil)
	if err != nil {
		return credentials{}, err
	}
	return s.credentials()
}

func (s procStatus) credentials() (c credentials, err error) {
	// numbers returns the numbers of a line: exactly count of them, or any number
	// if count is -1.
	numbers := func(name string, base, bits, count int) []uint64 {
		var all []uint64
		text, fieldErr := s.field(name)
		words := strings.Fields(text)
		if fieldErr == nil && count >= 0 && len(words) != count {
			fieldErr = fmt.Errorf("line %s of /proc/TID/status has %d numbers, not %d",
				name, len(words), count)
		}
		for _, word := range words {
			number, parseErr := strconv.ParseUint(word, base, bits)
			fieldErr = cmp.Or(fieldErr, parseErr)
			all = append(all, number)
		}
		err = cmp.Or(err, fieldErr)
		return append(all, make([]uint64, max(0, count-len(all)))...)
	}
	for i, id := range numbers("Uid", 10, 32, 4)[:4] {
		c.uid[i] = uint32(id)
	}
	for i, id := range numbers("Gid", 10, 32, 4)[:4] {
		c.gid[i] = uint32(id)
	}
	for _, id := range numbers("Groups", 10, 32, -1) {
		c.groups = append(c.groups, uint32(id))
	}
	c.umask = uint32(numbers("Umask", 8, 32, 1)[0])
	c.effective = numbers("CapEff", 16, 64, 1)[0]
	return c, err
}
