package agent

import (
	"bytes"
	"errors"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/fault"
	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

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
	a.wanted = a.asked
	if d.Verdict == config.Rewrite {
		a.wanted = bytes.Clone(a.asked)
		setPort(a.wanted, d.Port)
	}

	a.writeDown()
	err = a.bindSocket(a.wanted)
	made := err == nil // and not an orphan, which was remembered when it was bound
	if err = a.settle(err); err != nil {
		return err
	}
	at = netip.AddrPortFrom(at.Addr(), d.Port)
	if (made || a.taken) && a.bound && transport != config.UDP {
		id, err := idWith(a.cookie, a.socket, a.kind)
		if err == nil && (made || !a.session.container.bound.has(id)) {
			a.session.container.bound.remember(id, at)
			fault.At("remembered", 0)
		}
	}
	return a.checkFamilies(transport, at)
}

// bindSocket binds the duplicate, first without any privilege and then, if the kernel
// says that this port takes one, with those of the target.
func (a *attempt) bindSocket(sockaddr []byte) error {
	err := a.bindUnprivileged(sockaddr)
	if !errors.Is(err, unix.EACCES) && !errors.Is(err, target.ErrNotMade) {
		return err
	}
	// The answer of the kernel to the target counts.
	asTarget := a.makeCallAtPace(sockaddr)
	if errors.Is(asTarget, target.ErrNotMade) && !errors.Is(err, target.ErrNotMade) {
		a.record.reason = config.NewReason(asTarget.Error())
		return err
	}
	return asTarget
}

// bindUnprivileged binds the duplicate by a thread that has no capability which the
// target has not. The owner of a user namespace has every capability in it, and so in its
// network namespaces, of which the socket may be. So a worker that may be an owner needs a
// helper, unless the target is the owner as well.
func (a *attempt) bindUnprivileged(sockaddr []byte) error {
	if a.neutral || a.target.IsOfAgentsUser() {
		return rawBind(a.socket, sockaddr)
	}
	call := a.callOnBehalf(sockaddr)
	call.Unprivileged = true
	return a.letHelper(call)
}

// checkFamilies looks again whether a socket that is bound to the unspecified address of
// IPv6 serves IPv4: another thread may have cleared IPV6_V6ONLY just before the bind. For
// a socket that listens, listen checks it. Any other socket receives from now on, so it
// is muted.
func (a *attempt) checkFamilies(transport config.Protocol, at netip.AddrPort) error {
	if at.Addr() != netip.IPv6Unspecified() || transport == config.TCP || transport == config.SCTP {
		return nil
	}
	d := a.decide(config.Bind, transport, at)
	if d.Verdict != config.Deny {
		return nil
	}
	mute := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	program := &unix.SockFprog{Len: 1, Filter: &mute}
	// It fails if the target has locked a filter of its own, docs/security.md.
	_ = unix.SetsockoptSockFprog(a.socket, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program)
	_ = unix.SetsockoptInt(a.socket, unix.SOL_SOCKET, unix.SO_LOCK_FILTER, 1)
	return a.recordDecision(config.Bind, transport, at, d)
}

// settle records the result of a bind that was made. If the bind failed only
// because an earlier attempt had made it already, the result is success: the
// kernel returns EINVAL for a socket that is bound already, and EADDRINUSE for a
// path whose file exists.
func (a *attempt) settle(err error) error {
	fault.At("made", 0)
	a.record.errno = err
	if a.call.kind != target.Bind {
		return err
	}
	if err == nil {
		a.bound = a.cookie != 0
		if a.bound && !a.session.orphans.none() {
			a.session.orphans.forget(a.cookie) // a predecessor had not come so far
		}
	} else if (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EADDRINUSE)) && a.claimOrphan() {
		return nil
	}
	return err
}

// writeDown records, for a successor, which bind is about to be made.
func (a *attempt) writeDown() {
	if a.call.kind != target.Bind || !a.knowsCookie() {
		return
	}
	id := socketID{cookie: a.cookie}
	if transport, internet := a.kind.transport(); internet && transport != config.UDP {
		id, _ = idWith(a.cookie, a.socket, a.kind)
	}
	a.slot.Act(id.cookie, id.inode, a.asked)
	fault.At("written down", 0)
}

// knowsCookie reports whether the cookie of the socket is known.
func (a *attempt) knowsCookie() bool {
	if a.cookie == 0 {
		a.cookie, _ = cookieOf(a.socket)
	}
	return a.cookie != 0
}

// claimOrphan reports whether the same bind was made before, for a caller that did not get
// the answer: a signal had called it away, or the agent ended. It removes the orphan, whose
// result is the answer of this attempt.
func (a *attempt) claimOrphan() bool {
	if a.call.kind != target.Bind || a.session.orphans.none() || !a.knowsCookie() {
		return false
	}
	bind, ok := a.session.orphans.claim(a.tid, a.cookie, a.asked)
	if !ok || bind.begun && !a.wasMade(bind) {
		return false
	}
	a.record.errno, a.bound = nil, true
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
