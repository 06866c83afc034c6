package target

import (
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// scanLimit bounds all scans of one call of OwnsFileTable.
	scanLimit = time.Second

	// stallAfter is how long a scan may stay at one task before it is taken to hang.
	stallAfter = 10 * time.Millisecond

	// scannerIdle is how long a scanner thread waits for another scan.
	scannerIdle = time.Second
)

// KeepsSocket reports whether it is proved that fd of the thread is and stays socket, an fd of this
// process. home is Home of a process of the thread's container. pace calls what it is given, which
// scans all tasks of the machine and returns what that took of a CPU, once there is time for it.
//
// The proof that nobody shares the file table comes first: a task that shared it until then, and
// has ended, may have put another socket in place of the one that was inspected.
func (t *Thread) KeepsSocket(fd, socket, home int, pace func(scan func() time.Duration)) bool {
	if !t.OwnsFileTable(home, pace) {
		return false
	}
	same, err := kcmp(os.Getpid(), t.tid, kcmpFile, socket, fd)
	return err == nil && same
}

// OwnsFileTable reports whether it is proved that no other task shares the
// thread's file table. The thread waits for a notification to be answered, so
// nobody can begin to share the table in the meantime either: an fd that the
// thread named stays what it is now, and the kernel may run the call in the
// thread's own context. Whatever happens to the memory of the thread, a socket of
// another family never becomes an internet port.
//
// home and pace are those of KeepsSocket.
//
// A task begins to share a table by being created, and in no other way, except before Linux 5.12,
// where nothing is proved (onlyCreationShares). So a proof holds for some time (proofs).
//
// False proves nothing. The caller then makes the call in the thread's place.
//
// kcmp(2) waits for a task that is in execve(2), and any process on the machine
// can stay there for as long as it likes (with an fd on a FUSE file that does not
// answer, to be closed on exec). So a scan that hangs at a task is left behind, and
// another one leaves out that task, if it is certain that the task does not share the
// table. It is not certain of the tasks of the thread's own container: a container
// may spoil its own proof.
//
// That the scan hangs at a task says nothing about the task. A task in execve(2) has
// a file table of its own, but the lock has other holders (Landlock's TSYNC), and the
// scanner may wait for a CPU.
func (t *Thread) OwnsFileTable(home int, pace func(scan func() time.Duration)) bool {
	if proved.hold(t.tid) {
		return true
	}
	if !onlyCreationShares() || t.hasThreads() {
		return false
	}
	created := 0
	pace(func() (took time.Duration) {
		created, took = t.proveAlone(home)
		return took
	})
	if created == 0 {
		return false
	}
	proved.add(t.tid, created)
	return true
}

// hasThreads reports whether the process of the thread has another one. Hardly any thread has a
// file table of its own, so to scan for other sharers is not worth the time.
func (t *Thread) hasThreads() bool {
	var stat unix.Stat_t
	err := unix.Stat("/proc/"+strconv.Itoa(t.tid)+"/task", &stat)
	return err == nil && stat.Nlink > 3 // as in sharers.listThreads
}

// proveAlone returns the answer of sharers.none, which is 0 if it is not proved in time, and how
// much of a CPU that took.
func (t *Thread) proveAlone(home int) (alone int, took time.Duration) {
	for end := time.Now().Add(scanLimit); time.Now().Before(end); {
		s := &scan{tid: t.tid, home: home, alone: make(chan int, 1)}
		alone, again := s.run(end)
		took += time.Duration(s.took.Load())
		if !again {
			return alone, took
		}
	}
	return 0, took
}

// A scan is a request to a scanner, which answers in the channel.
type scan struct {
	tid, home int
	at        atomic.Int64 // the task that the scanner inspects
	took      atomic.Int64 // of a CPU, in nanoseconds, once it is answered
	abandoned atomic.Bool  // nobody waits for the answer any more
	alone     chan int     // what sharers.none answers
}

var scans = make(chan *scan) // to the scanners that are idle

// run returns the answer, and 0 if there is none at the end. again reports whether the scan hangs
// at a task that another scan may leave out.
func (s *scan) run(end time.Time) (alone int, again bool) {
	s.start()
	defer s.abandoned.Store(true) // it may be slow, and not hang
	alone, task := s.wait(end)
	if task == 0 {
		return alone, false
	}
	hung.add(task)
	late := make(chan int, 1)
	go func() {
		answer := <-s.alone
		hung.remove(task)
		late <- answer
	}()
	if s.cannotShare(task, nil) {
		return 0, true
	}
	select {
	case alone = <-late: // it was an ordinary execve
		return alone, false
	case <-time.After(time.Until(end)):
		return 0, false
	}
}

// start gives the scan to a scanner.
func (s *scan) start() {
	select {
	case scans <- s:
	default:
		go scanner(s)
	}
}

// wait returns the answer, or the task at which the scan hangs. It returns 0 if there is
// neither at the end.
func (s *scan) wait(end time.Time) (alone, task int) {
	before := 0
	for time.Now().Before(end) {
		select {
		case alone := <-s.alone:
			return alone, 0
		case <-time.After(stallAfter):
		}
		if task = int(s.at.Load()); task != 0 && task == before {
			return 0, task
		}
		before = task
	}
	return 0, 0
}

// scanner does one scan after another, on a thread of its own since a scan may
// hang. It returns when it has been idle for scannerIdle. To create a thread for
// each scan would void the scan: it counts only if no task was created meanwhile.
func scanner(s *scan) {
	_, err := BecomeNeutral() // as a worker does, so with the same privilege to inspect tasks
	var all *sharers
	if err == nil {
		all, err = newSharers()
	}
	if err == nil {
		defer all.close()
	}
	for {
		alone := 0
		if err == nil {
			began := threadTime()
			alone = all.none(s)
			s.took.Store(int64(threadTime() - began))
		}
		s.alone <- alone
		select {
		case s = <-scans:
		case <-time.After(scannerIdle):
			return
		}
	}
}

// threadTime returns how much of a CPU the calling thread has had.
func threadTime() time.Duration {
	var used unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used)
	return time.Duration(used.Nano())
}
