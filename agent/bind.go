package agent

import (
	"bytes"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// firstUnprivilegedPort is the kernel's default of ip_unprivileged_port_start.
const firstUnprivilegedPort = 1024

// bind does bind(2) on the duplicate, with the address that was checked.
func (a *attempt) bind(transport config.Protocol) error {
	at, err := a.kind.parseAddress(a.asked)
	if err != nil {
		if isRaw(a.socket) {
			return errNoPort
		}
		return err
	}
	d, err := a.decide(config.Bind, transport, at)
	if err != nil {
		return err
	}
	sockaddr := a.asked
	if d.Verdict == config.Rewrite {
		sockaddr = bytes.Clone(a.asked)
		setPort(sockaddr, d.Port)
	}

	// A thread that owns the target's user namespace has every capability
	// there: it would bind a low port for a target that may not.
	if d.Port < firstUnprivilegedPort && !a.neutral && a.target.foreign() {
		return a.settle(a.target.actAsTarget(&a.call, a.socket, sockaddr, a.valid))
	}
	err = rawBind(a.socket, sockaddr)
	if errors.Is(err, unix.EACCES) {
		// We have no capability; the target may. Its own kernel answer counts.
		asTarget := a.target.actAsTarget(&a.call, a.socket, sockaddr, a.valid)
		if errors.Is(asTarget, errNotActed) {
			a.record.reason = config.Because(asTarget.Error())
		} else {
			err = asTarget
		}
	}
	return a.settle(err)
}

// settle notes a bind that was done, and answers one that was done before. The
// kernel says EINVAL of a socket that is bound, or, for a path, EADDRINUSE of
// the file that is there.
func (a *attempt) settle(err error) error {
	a.record.errno = err
	if a.call.kind != callBind {
		return err
	}
	if err == nil {
		cookie, cookieErr := unix.GetsockoptUint64(a.socket, unix.SOL_SOCKET, unix.SO_COOKIE)
		a.bound, a.cookie = cookieErr == nil, cookie
	} else if (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EADDRINUSE)) && a.repeats() {
		return nil
	}
	return err
}

// repeats says whether this very bind was done before, for a caller whom a
// signal called away from the answer: it is the answer to this one.
func (a *attempt) repeats() bool {
	if a.call.kind != callBind || a.session.orphans.none() {
		return false
	}
	cookie, err := unix.GetsockoptUint64(a.socket, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil || !a.session.orphans.claim(cookie, a.asked) {
		return false
	}
	a.record.errno, a.bound, a.cookie = nil, true, cookie
	return true
}

func rawBind(socket int, sockaddr []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(socket), uintptr(unsafe.Pointer(unsafe.SliceData(sockaddr))), uintptr(len(sockaddr)))
	if errno != 0 {
		return errno
	}
	return nil
}
