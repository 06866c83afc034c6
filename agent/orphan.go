package agent

import (
	"slices"
	"sync"
)

// orphanLimit bounds what one container can make us remember.
const orphanLimit = 128

// orphans remembers binds that were done for a caller who was called away by a
// signal before the answer came. The kernel restarts its bind (SA_RESTART) or
// hands it EINTR, and it asks again: the socket is bound already, the bare
// kernel would have said 0, so 0 is the answer, once. Needed where the filter
// has no SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV.
//
// The key is the socket's cookie, which the kernel never uses twice
// (SO_COOKIE, socket(7)): no entry can speak for another socket.
type orphans struct {
	mu      sync.Mutex
	binds   map[uint64]string // cookie → the sockaddr asked for
	waiting []pending         // few: inFlightLimit
	turns   uint64
}

// pending is a call that was received and not answered yet.
type pending struct {
	turn uint64
	tid  uint32
	done chan struct{} // nil while nobody waits for its end
}

// begin notes that thread tid has a call in flight. If an earlier, withdrawn
// one of the same thread still is, earlier is closed when that one ends.
func (o *orphans) begin(tid uint32) (turn uint64, earlier <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := len(o.waiting) - 1; i >= 0; i-- {
		if before := &o.waiting[i]; before.tid == tid {
			if before.done == nil {
				before.done = make(chan struct{})
			}
			earlier = before.done
			break
		}
	}
	o.turns++
	o.waiting = append(o.waiting, pending{turn: o.turns, tid: tid})
	return o.turns, earlier
}

func (o *orphans) end(turn uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.waiting, func(p pending) bool { return p.turn == turn })
	if done := o.waiting[i].done; done != nil {
		close(done)
	}
	o.waiting = slices.Delete(o.waiting, i, i+1)
}

// remember keeps a bind whose caller is gone.
func (o *orphans) remember(cookie uint64, asked []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.binds == nil {
		o.binds = make(map[uint64]string)
	}
	for some := range o.binds {
		if len(o.binds) < orphanLimit {
			break
		}
		delete(o.binds, some)
	}
	o.binds[cookie] = string(asked)
}

// none says that there is nothing to claim.
func (o *orphans) none() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.binds) == 0
}

// claim says whether this very bind was done before, and forgets it.
func (o *orphans) claim(cookie uint64, asked []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if before, ok := o.binds[cookie]; !ok || before != string(asked) {
		return false
	}
	delete(o.binds, cookie)
	return true
}
