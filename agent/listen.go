package agent

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// listen makes listen(2) on the duplicate. listen is a way to a port, too: the
// kernel binds a socket that has none to a port of its choice, at every address.
func (a *attempt) listen(transport config.Protocol) error {
	if transport == config.UDP {
		return unix.Listen(a.socket, a.call.backlog) // EOPNOTSUPP, from the kernel itself
	}
	id, err := idOf(a.socket, a.kind)
	if err != nil {
		return err
	}
	// What the socket was bound to, and not what getsockname(2) returns now: another
	// thread could dissolve a port of the kernel's choice before listen(2).
	bound := &a.session.container.bound
	listens, err := unix.GetsockoptInt(a.socket, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return err
	}
	at, first, named := bound.take(id, listens != 0)
	if !named {
		return a.listenAt(transport, a.kind.anyAddress())
	}
	err = a.listenAt(transport, at)
	if err == nil {
		bound.listens(id)
	} else if first {
		bound.listenFailed(id)
	}
	return err
}

// listenAt makes listen(2) if the policy allows it for the address.
func (a *attempt) listenAt(transport config.Protocol, at netip.AddrPort) error {
	d := a.decide(config.Listen, transport, at)
	if !a.concernsPort(d) {
		return a.actInTargetContext()
	}
	if err := a.recordDecision(config.Listen, transport, at, d); err != nil {
		return err
	}
	err := unix.Listen(a.socket, a.call.backlog)
	a.record.errno = err
	return err
}

// anyAddress returns the unspecified address of the socket's family, with port 0. An SMC
// socket may be of either family, so its address is that of IPv6, which asks for both.
func (k socketKind) anyAddress() netip.AddrPort {
	if k.domain == unix.AF_INET {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
}
