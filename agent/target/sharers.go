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

// sharers looks for tasks that share the file table of a thread. Buffers are kept from one scan to
// the next.
type sharers struct {
	proc               int  // fd of /proc
	seesAll            bool // also where /proc is mounted with hidepid=
	listingIdentifies  bool
	created            func() (int, error) // tasksCreated
	processes, threads []entry
	buffer             []byte

	// cleared are the processes that share nothing, with their inodes, and inspected are those of
	// which this is not certain yet.
	cleared   map[int]uint64
	inspected []entry
}

// An entry is the directory of a task in /proc. The next task with this id has another inode.
type entry struct {
	id    int
	inode uint64 // or unknownInode
}

// unknownInode is what a listing has for an inode if the kernel had no memory for it.
const unknownInode = 1

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
	return &sharers{
		proc: proc, seesAll: seesAll, listingIdentifies: listingIdentifies(), created: tasksCreated,
		buffer: make([]byte, 32<<10), cleared: make(map[int]uint64),
	}, nil
}

func (s *sharers) close() {
	unix.Close(s.proc)
}

const (
	// A scan is repeated while others create tasks, until it was tried so often, and for so long.
	minTries = 20
	scanTime = 50 * time.Millisecond

	// clearAfter is for how long a scan inspects processes before it looks whether a task was
	// created.
	clearAfter = 200 * time.Microsecond
)

// none returns, if it is proved that the scan's thread shares its file table with no task, the
// number of tasks that the kernel had created by then: the proof holds until it creates another
// one. Otherwise it returns 0.
//
// A sharer could hop from process to process ahead of the scan. So what a scan finds counts only if
// the kernel created no task while it ran. But a process that had no sharer when no task was
// created never gets one, since only a sharer can create another. So the scan is repeated for the
// other processes only, and is soon so short that it fits between two forks of a machine that
// forks all the time.
func (s *sharers) none(of *scan) int {
	// A container of which one task hangs gets no proof anyway, and must not take
	// another scanner for each task that hangs.
	if slices.ContainsFunc(hung.tasks(), func(task int) bool {
		return !of.cannotShare(task, s.buffer)
	}) {
		return 0
	}
	clear(s.cleared)
	begin, after := time.Now(), scanLimit // never: usually no task is created meanwhile
	for tries := 0; tries < minTries || time.Since(begin) < scanTime; tries++ {
		created, err := s.scan(of, after)
		after = clearAfter
		switch {
		case err == nil:
			// After the scan: what is hidden now may have been hidden during the scan.
			if s.seesAll || checkComplete(s.proc) == nil {
				return created
			}
			return 0
		case !errors.Is(err, errUncertain):
			return 0
		}
	}
	return 0
}

var (
	// errUncertain means that a sharer may have been missed.
	errUncertain = errors.New("a task was created, or a thread ended, during the scan")
	errShared    = errors.New("a task shares the file table")
	// errHung means that a task hangs that may share the file table.
	errHung      = errors.New("a task that may share the file table cannot be inspected")
	errAbandoned = errors.New("nobody waits for the scan any more")
)

// scan inspects every process that is not cleared, and clears some each time that it has inspected
// for so long. It returns the number of tasks that the kernel has created, which is the same before
// and after the scan.
func (s *sharers) scan(of *scan, after time.Duration) (created int, err error) {
	if created, err = s.created(); err != nil {
		return 0, err
	}
	if s.processes, err = s.list(s.proc, s.processes[:0]); err != nil {
		return 0, err
	}
	s.inspected = s.inspected[:0] // the rest of a scan for another thread, which found a sharer
	since, latest, certain := time.Now(), created, true
	for _, process := range s.processes {
		if of.abandoned.Load() {
			return 0, errAbandoned
		}
		of.at.Store(int64(process.id))
		err := s.inspect(of, process)
		if errors.Is(err, errUncertain) {
			certain = false
		} else if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH) {
			return 0, err // not because it has ended
		}
		if len(s.inspected) > 0 && time.Since(since) > after {
			if latest, err = s.clear(latest); err != nil {
				return 0, err
			}
			since = time.Now()
		}
	}
	if latest, err = s.clear(latest); err != nil {
		return 0, err
	}
	if latest != created || !certain {
		return 0, errUncertain
	}
	return created, nil
}

// clear clears the processes that were inspected, if no task was created since the kernel had
// created so many. It returns how many it has created now.
func (s *sharers) clear(created int) (latest int, err error) {
	if latest, err = s.created(); err != nil {
		return 0, err
	}
	for _, p := range s.inspected {
		if latest == created {
			s.cleared[p.id] = p.inode
		}
	}
	s.inspected = s.inspected[:0]
	return latest, nil
}

// inspect returns errShared if a thread of a process shares the file table of the scan's thread.
func (s *sharers) inspect(of *scan, process entry) error {
	var directory unix.Stat_t
	if !s.listingIdentifies {
		if err := unix.Fstatat(s.proc, strconv.Itoa(process.id), &directory, 0); err != nil {
			return err
		}
		process.inode = directory.Ino
	}
	if s.cleared[process.id] == process.inode {
		return nil
	}
	if err := s.listThreads(process.id); err != nil {
		return err
	}
	own := false
	for _, thread := range s.threads {
		if thread.id == of.tid {
			own = true
			continue
		}
		err := s.compare(of, thread.id)
		if errors.Is(err, unix.ESRCH) && len(s.threads) > 1 {
			return errUncertain // it ended, perhaps while the threads were listed
		}
		if err != nil {
			return err
		}
	}
	// If a signal takes the thread out of its call, it can create a sharer in its own process.
	if !own && process.inode != unknownInode {
		s.inspected = append(s.inspected, process)
	}
	return nil
}

// compare returns errShared if a thread shares the file table of the scan's thread, and ESRCH if
// one of them has ended.
func (s *sharers) compare(of *scan, thread int) error {
	of.at.Store(int64(thread))
	if hung.mayHang(thread) {
		if of.cannotShare(thread, s.buffer) {
			return nil
		}
		if hung.has(thread) {
			return errHung
		}
	}
	same, err := sameFiles(of.tid, thread)
	switch {
	case same:
		return errShared
	case errors.Is(err, unix.EPERM) && of.cannotShare(thread, s.buffer):
		return nil
	}
	return err
}

// listThreads lists the threads of a process in s.threads. The link count of the
// directory is two more than the number of threads. For a process with a single
// thread, as most are, it makes reading the directory unnecessary, at a quarter of
// the cost.
//
// The kernel continues a listing by position, so it skips a thread for each that ends. While no
// task is created the count can only fall, so the list is complete if it stays the same.
func (s *sharers) listThreads(process int) error {
	var before, after unix.Stat_t
	path := strconv.Itoa(process) + "/task"
	if err := unix.Fstatat(s.proc, path, &before, 0); err != nil {
		return err
	}
	s.threads = append(s.threads[:0], entry{id: process})
	if before.Nlink == 3 {
		return nil
	}
	fd, err := unix.Openat(s.proc, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if s.threads, err = s.list(fd, s.threads[:0]); err != nil {
		return err
	}
	if err := unix.Fstat(fd, &after); err != nil {
		return err
	}
	if after.Nlink != before.Nlink || len(s.threads)+2 != int(after.Nlink) {
		return errUncertain
	}
	return nil
}

// list appends the entries of a directory of which the name is a number, the id of a task.
func (s *sharers) list(fd int, to []entry) ([]entry, error) {
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return to, err
	}
	for {
		n, err := unix.ReadDirent(fd, s.buffer)
		if err != nil || n == 0 {
			return to, err
		}
		for rest := s.buffer[:n]; len(rest) > 0; {
			var dirent unix.Dirent // for its layout only
			length := binary.NativeEndian.Uint16(rest[unsafe.Offsetof(dirent.Reclen):])
			name := rest[unsafe.Offsetof(dirent.Name):length]
			text := unsafe.String(&name[0], bytes.IndexByte(name, 0))
			if id, err := strconv.Atoi(text); err == nil {
				inode := binary.NativeEndian.Uint64(rest[unsafe.Offsetof(dirent.Ino):])
				to = append(to, entry{id, inode})
			}
			rest = rest[length:]
		}
	}
}

// sameFiles reports whether two threads share a file table.
func sameFiles(tid1, tid2 int) (bool, error) {
	same, err := kcmp(tid1, tid2, kcmpFiles, 0, 0)
	if err != nil {
		err = fmt.Errorf("compare the file tables of threads %d and %d: %w", tid1, tid2, err)
	}
	return same, err
}

// What kcmp(2) compares, linux/kcmp.h.
const (
	kcmpFile  = 0 // an fd of each thread
	kcmpFiles = 2 // the file tables
)

func kcmp(tid1, tid2, what, fd1, fd2 int) (same bool, err error) {
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(tid1), uintptr(tid2), uintptr(what),
		uintptr(fd1), uintptr(fd2), 0)
	if errno != 0 {
		return false, errno
	}
	return order == 0, nil
}
