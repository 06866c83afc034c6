package agent

import (
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
)

const (
	// boundLimit bounds how many sockets of each kind boundSockets remembers: those that
	// do not listen yet, and those that do.
	boundLimit = 8192

	// listenWithin is how long after its bind(2) a socket that is not TCP may begin to
	// listen.
	listenWithin = time.Minute
)

// boundSockets remembers where bind(2) has bound the sockets of a container: the address
// and the port that the program named. The kernel never takes either away from the
// socket. If the program named port 0, the port is 0 here.
//
// A port that the kernel picked, for bind(2) with port 0, for connect(2), or because
// accept(2) returned the socket, is another matter: a disconnect dissolves it, and
// listen(2) then picks another one. Between any look at the port and listen(2), another
// thread can dissolve it. So what the port is at the moment decides nothing.
//
// Over the limit, the oldest socket is forgotten: listen(2) on that one is then decided
// as on a socket that was not bound.
type boundSockets struct {
	mu      sync.Mutex
	read    func() // what a predecessor knew; nil once it is read
	sockets map[socketID]boundSocket
	kept    *handover.Sockets // the same for a successor; nil in tests
	order   uint64            // of the last change

	// A program can bind sockets without end. That must not make it forget the ones
	// by which it listens, on which it may call listen(2) again.
	idle, listening ring
}

// A socketID identifies a socket by its cookie, which the kernel never uses twice
// (SO_COOKIE, socket(7)). But MPTCP gives the cookie of a listener to the sockets that
// accept(2) returns. So the id of a socket that is not TCP also has its inode. It serves
// for the listen(2) that makes the socket a listener, within listenWithin, since inodes are
// used again after 2^32 sockets; and after that only while the socket listens, which none
// does that accept(2) returned.
type socketID struct{ cookie, inode uint64 }

func idOf(socket int, kind socketKind) (id socketID, err error) {
	cookie, err := cookieOf(socket)
	if err != nil {
		return id, err
	}
	return idWith(cookie, socket, kind)
}

// idWith is idOf for a socket whose cookie is known.
func idWith(cookie uint64, socket int, kind socketKind) (id socketID, err error) {
	id.cookie = cookie
	if kind.isTCP() {
		return id, nil
	}
	var stat unix.Stat_t
	err = unix.Fstat(socket, &stat)
	id.inode = stat.Ino
	return id, err
}

type boundSocket struct {
	at       netip.AddrPort
	until    time.Duration // on handover.Now; for the first listen(2) of a socket that is not TCP
	listened bool          // this first listen(2) was begun
	place    *handover.Place
}

// remember records that a socket is bound to an address. It allocates nothing once
// boundLimit is reached.
func (b *boundSockets) remember(id socketID, at netip.AddrPort) {
	bound := boundSocket{at: at}
	if id.inode != 0 {
		bound.until = handover.Now() + listenWithin
	}
	b.lock()
	defer b.mu.Unlock()
	if b.sockets == nil {
		b.sockets = make(map[socketID]boundSocket)
	}
	b.replace(&b.idle, id)
	b.set(id, bound, false)
}

// set changes what is known of a socket, here and for a successor.
func (b *boundSockets) set(id socketID, bound boundSocket, listening bool) {
	if b.kept != nil {
		b.order++
		bound.place = b.kept.Write(bound.place, handover.Socket{
			Cookie: id.cookie, Inode: id.inode, At: bound.at, Until: bound.until, Order: b.order,
			Listened: bound.listened, Listening: listening,
		})
	}
	b.sockets[id] = bound
}

// has reports whether a socket is known to be bound.
func (b *boundSockets) has(id socketID) bool {
	b.lock()
	defer b.mu.Unlock()
	_, ok := b.sockets[id]
	return ok
}

// restore takes over what a predecessor knew. It is read once it is needed: a container can have
// bound so many sockets that all others would wait for it.
func (b *boundSockets) restore(kept *handover.Sockets, log *logrus.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = kept
	b.read = func() {
		found, damaged := kept.Read()
		if damaged > 0 {
			log.WithField("sockets", damaged).
				Error("records of the agent before are damaged: to listen on them will be refused")
		}
		b.sockets = make(map[socketID]boundSocket, len(found))
		b.idle.ids = make([]socketID, 0, min(len(found)+1, boundLimit))
		for _, f := range found {
			id := socketID{f.Cookie, f.Inode}
			if f.Listening {
				b.replace(&b.listening, id)
			} else {
				b.replace(&b.idle, id)
			}
			b.sockets[id] = boundSocket{f.At, f.Until, f.Listened, f.Place}
			b.order = f.Order
		}
	}
}

// lock locks b.mu, and reads what a predecessor knew.
func (b *boundSockets) lock() {
	b.mu.Lock()
	if b.read != nil {
		b.read()
		b.read = nil
	}
}

// close gives the memory for a successor back.
func (b *boundSockets) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept != nil {
		b.kept.Close()
	}
}

// rememberInherited records where a socket is bound that a container was given at its
// start: a TCP listener, by socket activation, at a port that the kernel does not pick.
// It records nothing of any other socket: the port of a socket that does not listen can
// be that of a connection that is over.
func (b *boundSockets) rememberInherited(socket int) {
	kind, err := kindOf(socket)
	if err != nil || !kind.isTCP() {
		return
	}
	listens, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 {
		return
	}
	at, err := localAddress(socket)
	if err != nil || at.Port() == 0 || mayBePicked(at.Port()) {
		return
	}
	if id, err := idOf(socket, kind); err == nil {
		b.remember(id, at)
	}
}

// mayBePicked reports whether the kernel picks ports such as this one, ip(7).
func mayBePicked(port uint16) bool {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return true
	}
	var first, last uint16
	_, err = fmt.Sscan(string(text), &first, &last)
	return err != nil || first <= port && port <= last
}

// take returns where a socket is bound, for a listen(2) that is about to be made. ok is
// false if it was not bound by bind(2). listening says whether the socket listens now.
// first means that this is the first listen(2) of a socket that is not TCP.
func (b *boundSockets) take(id socketID, listening bool) (at netip.AddrPort, first, ok bool) {
	b.lock()
	defer b.mu.Unlock()
	bound, ok := b.sockets[id]
	switch {
	case !ok || id.inode == 0:
		return bound.at, false, ok
	case bound.listened:
		return bound.at, false, listening
	}
	bound.listened = true
	b.set(id, bound, false)
	return bound.at, true, handover.Now() < bound.until
}

// listenFailed records that the first listen(2) of a socket failed: there is no other
// socket yet that accept(2) could have given its cookie. The time that it has for another
// try goes on.
func (b *boundSockets) listenFailed(id socketID) {
	b.lock()
	defer b.mu.Unlock()
	if bound, ok := b.sockets[id]; ok {
		bound.listened = false
		b.set(id, bound, false)
	}
}

// listens records that a remembered socket listens.
func (b *boundSockets) listens(id socketID) {
	b.lock()
	defer b.mu.Unlock()
	if b.idle.remove(id) {
		b.replace(&b.listening, id)
		b.set(id, b.sockets[id], true)
	}
}

// replace adds an id to r and forgets the one whose place it takes.
func (b *boundSockets) replace(r *ring, id socketID) {
	if oldest, full := r.add(id); full {
		if place := b.sockets[oldest].place; place != nil {
			b.kept.Forget(place)
		}
		delete(b.sockets, oldest)
	}
}

// A ring is the last boundLimit ids that were added. The zero value is empty. The zero
// id is that of no socket.
type ring struct {
	ids  []socketID
	next int // where the oldest one is, once the ring is full
}

// add adds an id. If the ring is full it returns the oldest id, which is no
// longer in it.
func (r *ring) add(id socketID) (oldest socketID, full bool) {
	if len(r.ids) < boundLimit {
		r.ids = append(r.ids, id)
		return socketID{}, false
	}
	oldest, r.ids[r.next] = r.ids[r.next], id
	r.next = (r.next + 1) % boundLimit
	return oldest, oldest != socketID{}
}

// remove reports whether the id was in the ring, and takes it out. Programs mostly
// listen by the socket that they bound last.
func (r *ring) remove(id socketID) bool {
	for i := range r.ids {
		at := (r.next + len(r.ids) - 1 - i) % len(r.ids)
		if r.ids[at] == id {
			r.ids[at] = socketID{}
			return true
		}
	}
	return false
}
