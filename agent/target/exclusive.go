package target

import (
	"sync/atomic"
	"time"
)

const (
	// scanLimit bounds all scans of one call of OwnsFileTable.
	scanLimit = time.Second

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
// False proves nothing. The caller then makes the call in the thread's place.
//
// kcmp(2) waits for a task that is in execve(2), and any process on the machine
// can stay there for as long as it likes (with an fd on a FUSE file that does not
// answer, to be closed on exec). So the wait is bounded, and no scan starts while
// another one hangs.
func (t *Thread) OwnsFileTable() bool {
	if hungScans.Load() > 0 {
		return false
	}
	s := scan{tid: t.tid, exclusive: make(chan bool, 1)}
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

// A scan is a request to a scanner, which answers in the channel.
type scan struct {
	tid       int
	exclusive chan bool
}

var (
	scans     = make(chan scan) // to the scanners that are idle
	hungScans atomic.Int32
)

// scanner does one scan after another, on a thread of its own since a scan may
// hang. It returns when it has been idle for scannerIdle. To create a thread for
// each scan would void the scan: it counts only if no task was created meanwhile.
func scanner(s scan) {
	_, err := BecomeNeutral() // as a worker does, so with the same privilege to inspect tasks
	var all *sharers
	if err == nil {
		all, err = newSharers()
	}
	if err == nil {
		defer all.close()
	}
	for {
		s.exclusive <- err == nil && all.none(s.tid)
		select {
		case s = <-scans:
		case <-time.After(scannerIdle):
			return
		}
	}
}
