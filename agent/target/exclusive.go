package target

import (
	"sync/atomic"
	"time"
)

const (
	// scanLimit bounds all scans of one call of OwnsFileTable.
	scanLimit = time.Second

	// stallAfter is how long a scan may stay at one task before it is taken to hang.
	stallAfter = 10 * time.Millisecond

	// scannerIdle is how long a scanner thread waits for another scan.
	scannerIdle = time.Second
)

// OwnsFileTable reports whether it is proved that no other task shares the
// thread's file table. The thread waits for a notification to be answered, so
// nobody can begin to share the table in the meantime either: an fd that the
// thread named stays the socket that was inspected, and the kernel may run the
// call in the thread's own context. Whatever happens to the memory of the thread,
// a socket of another family never becomes an internet port.
//
// home is Home of a process of the thread's container.
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
func (t *Thread) OwnsFileTable(home int) bool {
	for end := time.Now().Add(scanLimit); time.Now().Before(end); {
		s := &scan{tid: t.tid, home: home, exclusive: make(chan bool, 1)}
		s.start()
		exclusive, task := s.wait(end)
		if task == 0 {
			return exclusive
		}
		hung.add(task)
		late := make(chan bool, 1)
		go func() {
			answer := <-s.exclusive
			hung.remove(task)
			late <- answer
		}()
		if s.cannotShare(task, nil) {
			continue
		}
		select {
		case exclusive = <-late: // it was an ordinary execve
			return exclusive
		case <-time.After(time.Until(end)):
			return false
		}
	}
	return false
}

// A scan is a request to a scanner, which answers in the channel.
type scan struct {
	tid, home int
	at        atomic.Int64 // the task that the scanner inspects
	exclusive chan bool
}

var scans = make(chan *scan) // to the scanners that are idle

// start gives the scan to a scanner.
func (s *scan) start() {
	select {
	case scans <- s:
	default:
		go scanner(s)
	}
}

// wait returns the answer, or the task at which the scan hangs. It returns false if
// there is neither at the end.
func (s *scan) wait(end time.Time) (exclusive bool, task int) {
	before := 0
	for time.Now().Before(end) {
		select {
		case exclusive := <-s.exclusive:
			return exclusive, 0
		case <-time.After(stallAfter):
		}
		if task = int(s.at.Load()); task != 0 && task == before {
			return false, task
		}
		before = task
	}
	return false, 0
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
		s.exclusive <- err == nil && all.none(s)
		select {
		case s = <-scans:
		case <-time.After(scannerIdle):
			return
		}
	}
}
