package target

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sharers looks for tasks that share the file table of a thread. A scan inspects
// every task on the machine, so buffers are kept from one scan to the next.
type sharers struct {
	proc               int  // fd of /proc
	seesAll            bool // also where /proc is mounted with hidepid=
	processes, threads []int
	buffer             []byte
}

func newSharers() (*sharers, error) {
	proc, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc: %w", err)
	}
	seesAll := seesAllProcesses()
	if !seesAll {
		if err := checkComplete(proc); err != nil {
			unix.Close(proc)
			return nil, err
		}
	}
	return &sharers{proc: proc, seesAll: seesAll, buffer: make([]byte, 32<<10)}, nil
}

func (s *sharers) close() {
	unix.Close(s.proc)
}

// none returns, if it is proved that the scan's thread shares its file table with no task, the
// number of tasks that the kernel had created by then: the proof holds until it creates another
// one. Otherwise it returns 0. A sharer could hop from process to process ahead of the scan, so a
// scan counts only if the kernel created no task while it ran. Scans are repeated, the quick ones
// more often: on a machine that forks all the time one of them meets a moment without a fork.
func (s *sharers) none(of *scan) int {
	// A container of which one task hangs gets no proof anyway, and must not take
	// another scanner for each task that hangs.
	if slices.ContainsFunc(hung.tasks(), func(task int) bool {
		return !of.cannotShare(task, s.buffer)
	}) {
		return 0
	}
	begin := time.Now()
	for tries := 0; tries < 3 || time.Since(begin) < time.Millisecond; tries++ {
		before, err := tasksCreated()
		if err != nil {
			return 0
		}
		shared, err := s.any(of)
		if errors.Is(err, errThreadEnded) {
			continue
		}
		if err != nil || shared {
			return 0
		}
		after, err := tasksCreated()
		if err == nil && after == before {
			// After the scan: what is hidden now may have been hidden during the scan.
			if s.seesAll || checkComplete(s.proc) == nil {
				return after
			}
			return 0
		}
	}
	return 0
}

// any scans once, and reports whether it found a sharer.
func (s *sharers) any(of *scan) (shared bool, err error) {
	// The thread's own group comes first: that is where sharers usually are.
	if shared, err := s.inGroup(of, of.tid); err != nil || shared {
		return shared, err
	}
	if s.processes, err = s.numbers(s.proc, s.processes[:0]); err != nil {
		return false, err
	}
	for _, process := range s.processes {
		shared, err := s.inGroup(of, process)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
			continue // the process has ended
		}
		if err != nil || shared {
			return shared, err
		}
	}
	return false, nil
}

// inGroup reports whether a thread of a process shares the file table of the scan's
// thread.
func (s *sharers) inGroup(of *scan, process int) (bool, error) {
	of.at.Store(int64(process))
	if err := s.listThreads(process); err != nil {
		return false, err
	}
	for _, other := range s.threads {
		if other == of.tid {
			continue
		}
		of.at.Store(int64(other))
		if hung.mayHang(other) {
			if of.cannotShare(other, s.buffer) {
				continue
			}
			if hung.has(other) {
				return false, errHung
			}
		}
		same, err := sameFiles(of.tid, other)
		if errors.Is(err, unix.EPERM) && of.cannotShare(other, s.buffer) {
			continue
		}
		if errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil || same {
			return same, err
		}
	}
	return false, nil
}

// errThreadEnded means that a list of threads may be incomplete. The kernel
// continues a listing by position, so it skips a thread for each that ends.
var errThreadEnded = errors.New("a thread ended while they were listed")

// errHung means that a task hangs that may share the file table.
var errHung = errors.New("a task that may share the file table cannot be inspected")

// listThreads lists the threads of a process in s.threads. The link count of the
// directory is two more than the number of threads. For a process with a single
// thread, as most are, it makes reading the directory unnecessary, at a quarter of
// the cost. While no task is created the count can only fall, so the list is
// complete if the count stays the same.
func (s *sharers) listThreads(process int) error {
	var before, after unix.Stat_t
	path := strconv.Itoa(process) + "/task"
	if err := unix.Fstatat(s.proc, path, &before, 0); err != nil {
		return err
	}
	s.threads = append(s.threads[:0], process)
	if before.Nlink == 3 {
		return nil
	}
	fd, err := unix.Openat(s.proc, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if s.threads, err = s.numbers(fd, s.threads[:0]); err != nil {
		return err
	}
	if err := unix.Fstat(fd, &after); err != nil {
		return err
	}
	if after.Nlink != before.Nlink || len(s.threads)+2 != int(after.Nlink) {
		return errThreadEnded
	}
	return nil
}

// numbers appends the names in a directory that are numbers, which are task ids.
func (s *sharers) numbers(fd int, to []int) ([]int, error) {
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return to, err
	}
	for {
		n, err := unix.ReadDirent(fd, s.buffer)
		if err != nil || n == 0 {
			return to, err
		}
		for rest := s.buffer[:n]; len(rest) > 0; {
			var entry unix.Dirent // for its layout only
			length := binary.NativeEndian.Uint16(rest[unsafe.Offsetof(entry.Reclen):])
			name := rest[unsafe.Offsetof(entry.Name):length]
			text := unsafe.String(&name[0], bytes.IndexByte(name, 0))
			if id, err := strconv.Atoi(text); err == nil {
				to = append(to, id)
			}
			rest = rest[length:]
		}
	}
}

// sameFiles reports whether two threads share a file table (KCMP_FILES, kcmp(2)).
func sameFiles(tid1, tid2 int) (bool, error) {
	const kcmpFiles = 2
	order, _, errno := unix.Syscall6(
		unix.SYS_KCMP, uintptr(tid1), uintptr(tid2), kcmpFiles, 0, 0, 0)
	if errno != 0 {
		return false, fmt.Errorf("compare the file tables of threads %d and %d: %w",
			tid1, tid2, errno)
	}
	return order == 0, nil
}
