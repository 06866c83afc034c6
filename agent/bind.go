package agent

import (
	"bytes"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// firstUnprivilegedPort is the kernel's default of ip_unprivileged_port_start.
const firstUnprivilegedPort = 1024

// bind makes bind(2) on the duplicate, with the address that was checked.
func (a *attempt) bind(transport config.Protocol) error {
	at, err := a.kind.parseAddress(a.asked)
	if err != nil {
		if isRaw(a.socket) { // its sockaddr may be of another form
			return a.actInTargetContext()
		}
		return err
	}
	d := a.decide(config.Bind, transport, at)
	if !a.concernsPort(d) {
		return a.actInTargetContext()
	}
	if err := a.recordDecision(config.Bind, transport, at, d); err != nil {
		return err
	}
	sockaddr := a.asked
	if d.Verdict == config.Rewrite {
		sockaddr = bytes.Clone(a.asked)
		setPort(sockaddr, d.Port)
	}

	// A thread that owns the target's user namespace has every capability there: it
	// would bind a low port for a target that may not.
	if d.Port < firstUnprivilegedPort && !a.neutral && a.target.InOtherUserNamespace() {
		return a.settle(a.makeCall(sockaddr))
	}
	err = rawBind(a.socket, sockaddr)
	if errors.Is(err, unix.EACCES) {
		// The worker has no capability, but the target may have it. The answer of
		// the kernel to the target counts.
		asTarget := a.makeCall(sockaddr)
		if errors.Is(asTarget, target.ErrNotMade) {
			a.record.reason = config.NewReason(asTarget.Error())
		} else {
			err = asTarget
		}
	}
	return a.settle(err)
}

// settle records the result of a bind that was made. If the bind failed only
// because an earlier attempt had made it already, the result is success: the
// kernel returns EINVAL for a socket that is bound already, and EADDRINUSE for a
// path whose file exists.
func (a *attempt) settle(err error) error {
	a.record.errno = err
	if a.call.kind != target.Bind {
		return err
	}
	if err == nil {
		cookie, cookieErr := unix.GetsockoptUint64(a.socket, unix.SOL_SOCKET, unix.SO_COOKIE)
		a.bound, a.cookie = cookieErr == nil, cookie
	} else if (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EADDRINUSE)) && a.claimOrphan() {
		return nil
	}
	return err
}

// claimOrphan reports whether the same bind was made before, for a caller that a
// signal had called away from the answer. It removes the orphan, whose result is the
// answer of this attempt.
func (a *attempt) claimOrphan() bool {
	if a.call.kind != target.Bind || a.session.orphans.none() {
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
	_, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(socket),
		uintptr(unsafe.Pointer(unsafe.SliceData(sockaddr))), uintptr(len(sockaddr)))
	if errno != 0 {
		return errno
	}
	return nil
}
