package agent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// wasMade reports whether a bind that a predecessor had begun was made: the socket is where the
// bind was to put it. If the socket holds its port, wasMade sets taken.
func (a *attempt) wasMade(bind orphan) bool {
	if bind.inode != 0 {
		id, err := idWith(a.cookie, a.socket, a.kind)
		if err != nil || id.inode != bind.inode {
			return false // accept(2) returned it
		}
	}
	if _, internet := a.kind.transport(); !internet {
		name, err := socketName(a.socket)
		shorter, _ := withoutProc(a.wanted) // what a helper binds
		return err == nil && (sameName(name, a.wanted) || sameName(name, shorter))
	}
	wanted, err := a.kind.parseAddress(a.wanted)
	if err != nil {
		return false
	}
	at, err := localAddress(a.socket)
	if err != nil || !isAt(at, wanted) {
		return false
	}
	a.taken = a.holdsPort(wanted)
	return true
}

// isAt reports whether a socket at an address may have been bound to wanted.
func isAt(at, wanted netip.AddrPort) bool {
	if wanted.Port() == 0 {
		wanted = netip.AddrPortFrom(wanted.Addr(), at.Port())
	}
	return at.Port() != 0 && at == wanted
}

// holdsPort reports whether it is certain that bind(2) gave the socket its port and its address,
// so that the kernel never takes them away.
//
// getsockname(2) is no proof: it still shows the port that the kernel had picked for a connection
// and took away when the connection ended. The proof is a TCP socket without a connection that
// refuses to be bound: only bind(2) can have bound it. If it is not bound, it is bound now, at a
// port of the kernel's choice, which nobody may listen on. The target can connect and disconnect
// between the two looks, but not each time.
//
// There is no such way to ask sockets of other protocols. To listen on them is refused then,
// though they are bound.
func (a *attempt) holdsPort(at netip.AddrPort) bool {
	if !a.kind.isTCP() {
		return false
	}
	again := bytes.Clone(a.wanted)
	setPort(again, 0) // which takes no privilege
	const rounds = 100
	for range rounds {
		if err := rawBind(a.socket, again); !errors.Is(err, unix.EINVAL) {
			return false
		}
		info, err := unix.GetsockoptTCPInfo(a.socket, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || info.State != unix.BPF_TCP_CLOSE {
			return false
		}
		if now, err := localAddress(a.socket); err != nil || !isAt(now, at) {
			return false
		}
	}
	return true
}

// sameName reports whether a socket with this name may have been bound to wanted.
func sameName(name, wanted []byte) bool {
	const path = 2 // the offset of sun_path
	if len(wanted) < path || len(name) <= path {
		return false
	}
	if binary.NativeEndian.Uint16(wanted) != unix.AF_UNIX {
		// A netlink port, or an address of Bluetooth or of a packet socket, can be completed by
		// the kernel.
		return bytes.Equal(name[:path], wanted[:path])
	}
	if len(wanted) == path { // an abstract name of the kernel's choice
		return true
	}
	if wanted[path] == 0 { // an abstract name
		return bytes.Equal(name, wanted)
	}
	return bytes.Equal(cString(name[path:]), cString(wanted[path:]))
}

// cString returns text up to its first NUL.
func cString(text []byte) []byte {
	before, _, _ := bytes.Cut(text, []byte{0})
	return before
}
