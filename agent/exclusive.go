package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// exclusiveFiles proves that no other task shares the file table of thread tid,
// which waits in a notification. While that thread waits nobody can begin to
// share the table either, so the fd it named stays the socket that we looked
// at, and the call may run in the target's own context: whatever happens to
// its memory, a socket of another family never becomes an internet port.
//
// Every task of the system is compared by kcmp(2). A sharer could hop from
// process to process ahead of the scan, so a scan counts only when the kernel
// created no task from its beginning to its end. false is not a proof of the
// contrary: the caller then acts for the target.
//
// kcmp(2) waits for a task that is in execve(2), and any process of the system
// can stay there as long as it likes (an fd on a hung FUSE file, to be closed on
// exec). So the wait is bounded, and while a scan hangs there is no other.
func exclusiveFiles(tid int) bool {
	if hungScans.Load() > 0 {
		return false
	}
	s := scan{tid: tid, exclusive: make(chan bool, 1)}
	select {
	case scans <- s:
	default:
		go scanner(s)
	}
	select {
	case exclusive := <-s.exclusive:
		return exclusive
	case <-time.After(scanLimit):
		hungScans.Add(1)
		go func() {
			<-s.exclusive
			hungScans.Add(-1)
		}()
		return false
	}
}

// A scan is handed to a thread that looks at nothing else, since it may hang.
type scan struct {
	tid       int
	exclusive chan bool
}

var scans = make(chan scan)

// scanner does one scan after the other until none comes for a while. A thread
// for each would be a task that is created, which a scan must not see.
func scanner(s scan) {
	_, err := becomeNeutral() // and to look at others, as a worker can
	for {
		s.exclusive <- err == nil && scanForSharers(s.tid)
		select {
		case s = <-scans:
		case <-time.After(idleAfter):
			return
		}
	}
}

// scanLimit is for all scans of one call.
const scanLimit = time.Second

var hungScans atomic.Int32

func scanForSharers(tid int) bool {
	for range 3 {
		before, err := tasksCreated()
		if err != nil {
			return false
		}
		if shared, err := anyTaskShares(tid); err != nil || shared {
			return false
		}
		if after, err := tasksCreated(); err == nil && after == before {
			return true
		}
	}
	return false
}

func anyTaskShares(tid int) (bool, error) {
	// The thread's own group first: the usual sharers are there.
	if shared, err := groupShares(tid, tid); err != nil || shared {
		return shared, err
	}
	processes, err := numericNames("/proc")
	if err != nil {
		return false, err
	}
	for _, process := range processes {
		shared, err := groupShares(tid, process)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it ended
		}
		if err != nil || shared {
			return shared, err
		}
	}
	return false, nil
}

func groupShares(tid, process int) (bool, error) {
	threads, err := threadsOf(process)
	if err != nil {
		return false, err
	}
	for _, other := range threads {
		if other == tid {
			continue
		}
		same, err := sameFiles(tid, other)
		if errors.Is(err, unix.EPERM) && cantShare(tid, other) {
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

// threadsOf doesn't read the directory of a process with one thread, as most
// are: its number of links is two more than it has threads, and costs a quarter.
func threadsOf(process int) ([]int, error) {
	var directory unix.Stat_t
	path := fmt.Sprintf("/proc/%d/task", process)
	if err := unix.Stat(path, &directory); err != nil {
		return nil, err
	}
	if directory.Nlink == 3 {
		return []int{process}, nil
	}
	return numericNames(path)
}

// cantShare says of a task that isn't ours to look into that it can't share the
// table of thread tid: whoever does was cloned under the filter.
func cantShare(tid, other int) bool {
	mode, err := statusField(other, "Seccomp")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) || err == nil && mode != "2" {
		return true
	}
	if err != nil || !keepsOurUser(tid) {
		return false
	}
	theirs, err := (&thread{tid: other}).credentials()
	return err == nil && !slices.Contains(theirs.uid[:], uint32(os.Getuid()))
}

// keepsOurUser says that whatever runs under the filter of thread tid has our
// own uid: it began with it, and nothing it can exec gives it another one.
func keepsOurUser(tid int) bool {
	t, uid := &thread{tid: tid}, uint32(os.Getuid())
	its, err := t.credentials()
	if uid == 0 || err != nil || its.uid != [4]uint32{uid, uid, uid, uid} || !t.sharesWithUs("ns/user") {
		return false
	}
	fixed, err := statusField(tid, "NoNewPrivs")
	return err == nil && fixed == "1"
}

// sameFiles compares two file tables, KCMP_FILES of kcmp(2).
func sameFiles(tid1, tid2 int) (bool, error) {
	const kcmpFiles = 2
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(tid1), uintptr(tid2), kcmpFiles, 0, 0, 0)
	if errno != 0 {
		return false, fmt.Errorf("compare the file tables of threads %d and %d: %w", tid1, tid2, errno)
	}
	return order == 0, nil
}

// tasksCreated is the kernel's count of forks and clones since boot, which it
// keeps under the lock that makes a new task visible: proc_stat(5).
func tasksCreated() (string, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return "", err
	}
	for line := range bytes.Lines(stat) {
		if bytes.HasPrefix(line, []byte("processes ")) {
			return string(line), nil
		}
	}
	return "", errors.New("/proc/stat has no line processes")
}

func numericNames(dir string) ([]int, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	numbers := make([]int, 0, len(names))
	for _, name := range names {
		if number, err := strconv.Atoi(name); err == nil {
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}
