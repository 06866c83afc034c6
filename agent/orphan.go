package agent

import (
	"slices"
	"sync"
	"time"

	"github.com/port-restricter/port-restricter/agent/handover"
)

const (
	// orphanLimit bounds how many binds, and how many threads, are remembered for one session.
	orphanLimit = 128

	// stormLasts is how long a thread counts as one that gets signals, after a signal has called
	// it away from a call.
	stormLasts = time.Second
)

// orphans remembers binds that were made for a caller that a signal called away
// before it had the answer. The kernel restarts the caller's bind (SA_RESTART), or
// the caller gets EINTR and repeats it. By then the socket is bound. The bare
// kernel would have returned 0 the first time, so 0 is the answer, once. Sessions
// whose filter has SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV hardly need it.
//
// The key is the cookie of the socket, which the kernel never uses twice
// (SO_COOKIE, socket(7)), so no entry can be taken for another socket.
//
// The kernel can take an answer from the supervisor while the thread already turns to a
// signal (before Linux 5.19, and without that flag). The answer is lost, and nobody is
// told. So the last bind of a thread that gets signals may be an orphan, too.
type orphans struct {
	memory  *handover.Memory // where a successor finds them; nil in tests
	session uint32

	mu       sync.Mutex
	binds    map[uint64]orphan     // by cookie
	inStorm  map[uint32]stormyBind // threads that get signals
	inHand   []pending             // at most inFlightLimit
	lastCall uint64
}

// An orphan is a bind whose caller does not have the answer.
type orphan struct {
	asked string // the sockaddr
	// begun means that a predecessor ended while it made the bind: it may have been made.
	begun bool
	inode uint64 // of the socket, if it was begun and the socket's cookie does not suffice
	slot  *handover.Slot
}

// A pending call was received and is not answered yet.
type pending struct {
	call uint64
	tid  uint32
	done chan struct{} // nil while nobody waits for its end
}

// A stormyBind is the last bind of a thread that gets signals, if the thread has made no
// other call since.
type stormyBind struct {
	until  time.Time // the thread counts as one that gets signals
	made   bool
	cookie uint64
	asked  string
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
	o.add(cookie, bind)
}

// add is remember. o.mu is held.
func (o *orphans) add(cookie uint64, bind orphan) {
	o.drop(cookie)
	for some := range o.binds {
		if len(o.binds) < orphanLimit {
			break
		}
		o.drop(some)
	}
	if o.binds == nil {
		o.binds = make(map[uint64]orphan)
	}
	if o.memory != nil {
		if slot, ok := o.memory.TakeSpareSlot(); ok {
			slot.Serve(o.session)
			slot.Act(cookie, bind.inode, []byte(bind.asked))
			bind.slot = slot
		}
	}
	o.binds[cookie] = bind
}

// drop forgets an orphan. o.mu is held.
func (o *orphans) drop(cookie uint64) {
	if slot := o.binds[cookie].slot; slot != nil {
		o.memory.ReleaseSpareSlot(slot)
	}
	delete(o.binds, cookie)
}

// close forgets all orphans: the session has ended.
func (o *orphans) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for cookie := range o.binds {
		o.drop(cookie)
	}
}

// forget forgets the orphan of a socket that was just bound: it had not been bound before.
func (o *orphans) forget(cookie uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drop(cookie)
}

// answered records that a thread's call was answered. bound means that it was a bind,
// which is done.
func (o *orphans) answered(tid uint32, bound bool, cookie uint64, asked []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	storm, ok := o.inStorm[tid]
	switch {
	case !ok:
	case time.Now().After(storm.until):
		delete(o.inStorm, tid)
	default:
		o.inStorm[tid] = stormyBind{storm.until, bound, cookie, string(asked)}
	}
}

// calledAway records that a thread does not wait for its answer any more. bound means that
// the call was a bind, which is done.
func (o *orphans) calledAway(tid uint32, bound bool, cookie uint64, asked []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for some := range o.inStorm {
		if len(o.inStorm) < orphanLimit {
			break
		}
		delete(o.inStorm, some)
	}
	if o.inStorm == nil {
		o.inStorm = make(map[uint32]stormyBind)
	}
	o.inStorm[tid] = stormyBind{until: time.Now().Add(stormLasts)}
	if bound {
		o.add(cookie, orphan{asked: string(asked)})
	}
}

// none reports whether there is nothing to claim.
func (o *orphans) none() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.binds) == 0 && len(o.inStorm) == 0
}

// claim returns the orphan that is the same bind, for a thread that may not know that it was made,
// and forgets it.
func (o *orphans) claim(tid uint32, cookie uint64, asked []byte) (bind orphan, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bind, ok = o.binds[cookie]; ok && bind.asked == string(asked) {
		o.drop(cookie)
		return bind, true
	}
	last := o.inStorm[tid]
	return orphan{}, last.made && last.cookie == cookie && last.asked == string(asked) &&
		time.Now().Before(last.until)
}
