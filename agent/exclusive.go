package agent

import (
	"sync/atomic"
	"time"
)

// exclusiveFiles proves that no other task shares the file table of thread tid,
// which waits in a notification. While that thread waits nobody can begin to
// share the table either, so the fd it named stays the socket that we looked
// at, and the call may run in the target's own context: whatever happens to
// its memory, a socket of another family never becomes an internet port. false
// is not a proof of the contrary: the caller then acts for the target.
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
		case <-time.After(idleAfter):
			return
		}
	}
}

// scanLimit is for all scans of one call.
const scanLimit = time.Second

var hungScans atomic.Int32
