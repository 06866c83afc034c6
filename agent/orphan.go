package agent

import (
	"slices"
	"sync"
)

// orphanLimit bounds how many binds are remembered for one session.
const orphanLimit = 128

// orphans remembers binds that were made for a caller that a signal called away
// before it had the answer. The kernel restarts the caller's bind (SA_RESTART), or
// the caller gets EINTR and repeats it. By then the socket is bound. The bare
// kernel would have returned 0 the first time, so 0 is the answer, once. Sessions
// whose filter has SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV hardly need it.
//
// The key is the cookie of the socket, which the kernel never uses twice
// (SO_COOKIE, socket(7)), so no entry can be taken for another socket.
type orphans struct {
	mu       sync.Mutex
	binds    map[uint64]orphan // by cookie
	inHand   []pending         // at most inFlightLimit
	lastCall uint64
}

// An orphan is a bind whose caller does not have the answer.
type orphan struct {
	asked string // the sockaddr
	// begun means that a predecessor ended while it made the bind: it may have been made.
	begun bool
	inode uint64 // of the socket, if it was begun and the socket's cookie does not suffice
}

// A pending call was received and is not answered yet.
type pending struct {
	call uint64
	tid  uint32
	done chan struct{} // nil while nobody waits for its end
}

// begin records that thread tid has a call in hand, and returns a number for it. If
// an earlier call of the same thread, which must have been withdrawn, is still in
// hand, earlier is closed when that one ends.
func (o *orphans) begin(tid uint32) (call uint64, earlier <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := len(o.inHand) - 1; i >= 0; i-- {
		if before := &o.inHand[i]; before.tid == tid {
			if before.done == nil {
				before.done = make(chan struct{})
			}
			earlier = before.done
			break
		}
	}
	o.lastCall++
	o.inHand = append(o.inHand, pending{call: o.lastCall, tid: tid})
	return o.lastCall, earlier
}

// end records that a call is answered.
func (o *orphans) end(call uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.inHand, func(p pending) bool { return p.call == call })
	if done := o.inHand[i].done; done != nil {
		close(done)
	}
	o.inHand = slices.Delete(o.inHand, i, i+1)
}

// remember records an orphan by the cookie of its socket.
func (o *orphans) remember(cookie uint64, bind orphan) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.binds == nil {
		o.binds = make(map[uint64]orphan)
	}
	for some := range o.binds {
		if len(o.binds) < orphanLimit {
			break
		}
		delete(o.binds, some)
	}
	o.binds[cookie] = bind
}

// none reports whether there is nothing to claim.
func (o *orphans) none() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.binds) == 0
}

// claim returns the orphan that is the same bind, if there is one, and forgets it.
func (o *orphans) claim(cookie uint64, asked []byte) (bind orphan, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bind, ok = o.binds[cookie]; !ok || bind.asked != string(asked) {
		return orphan{}, false
	}
	delete(o.binds, cookie)
	return bind, true
}
