package agent

import (
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// boundLimit bounds how many sockets of each kind boundSockets remembers: those that do
// not listen yet, and those that do.
const boundLimit = 1024

// boundSockets remembers where bind(2) has bound the sockets of a container: the address
// and the port that the program named. The kernel never takes either away from the
// socket. If the program named port 0, the port is 0 here.
//
// A port that the kernel picked, for bind(2) with port 0, for connect(2), or because
// accept(2) returned the socket, is another matter: a disconnect dissolves it, and
// listen(2) then picks another one. Between any look at the port and listen(2), another
// thread can dissolve it. So what the port is at the moment decides nothing.
//
// The key is the cookie of the socket, which the kernel never uses twice (SO_COOKIE,
// socket(7)). Over the limit, the oldest socket is forgotten: listen(2) on that one is
// then decided as on a socket that was not bound.
type boundSockets struct {
	mu        sync.Mutex
	addresses map[uint64]netip.AddrPort // by cookie

	// A program can bind sockets without end. That must not make it forget the ones
	// by which it listens, on which it may call listen(2) again.
	idle, listening ring
}

// remember records that a socket is bound to an address. It allocates nothing once
// boundLimit is reached.
func (b *boundSockets) remember(cookie uint64, at netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.addresses == nil {
		b.addresses = make(map[uint64]netip.AddrPort)
	}
	b.replace(&b.idle, cookie)
	b.addresses[cookie] = at
}

// rememberInherited records where a socket is bound that a container was given at its
// start: a listener from socket activation, say. It records nothing of a socket whose
// port may be the kernel's choice: one that is connected, or whose port is in the range
// from which the kernel picks.
func (b *boundSockets) rememberInherited(socket int) {
	kind, err := kindOf(socket)
	if err != nil {
		return // not a socket
	}
	if transport, internet := kind.transport(); !internet || transport == config.UDP {
		return
	}
	if _, err := unix.Getpeername(socket); err != unix.ENOTCONN {
		return
	}
	at, err := localAddress(socket)
	if err != nil || at.Port() == 0 || mayBePicked(at.Port()) {
		return
	}
	if cookie, err := cookieOf(socket); err == nil {
		b.remember(cookie, at)
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

// listens records that a remembered socket listens.
func (b *boundSockets) listens(cookie uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.idle.remove(cookie) {
		b.replace(&b.listening, cookie)
	}
}

// replace adds a cookie to r and forgets the one whose place it takes.
func (b *boundSockets) replace(r *ring, cookie uint64) {
	if oldest, full := r.add(cookie); full {
		delete(b.addresses, oldest)
	}
}

// address returns where a socket is bound. ok is false if it was not bound by bind(2).
func (b *boundSockets) address(cookie uint64) (at netip.AddrPort, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, ok = b.addresses[cookie]
	return at, ok
}

// A ring is the last boundLimit cookies that were added. The zero value is empty. 0 is
// no cookie.
type ring struct {
	cookies []uint64
	next    int // where the oldest one is, once the ring is full
}

// add adds a cookie. If the ring is full it returns the oldest cookie, which is no
// longer in it.
func (r *ring) add(cookie uint64) (oldest uint64, full bool) {
	if len(r.cookies) < boundLimit {
		r.cookies = append(r.cookies, cookie)
		return 0, false
	}
	oldest, r.cookies[r.next] = r.cookies[r.next], cookie
	r.next = (r.next + 1) % boundLimit
	return oldest, oldest != 0
}

// remove reports whether the cookie was in the ring, and takes it out. Programs mostly
// listen by the socket that they bound last.
func (r *ring) remove(cookie uint64) bool {
	for i := range r.cookies {
		at := (r.next + len(r.cookies) - 1 - i) % len(r.cookies)
		if r.cookies[at] == cookie {
			r.cookies[at] = 0
			return true
		}
	}
	return false
}
