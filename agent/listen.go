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
	cookie, err := cookieOf(a.socket)
	if err != nil {
		return err
	}
	// What the socket was bound to, and not what getsockname(2) returns now: another
	// thread could dissolve a port of the kernel's choice before listen(2).
	at, named := a.session.container.bound.address(cookie)
	if !named {
		at = a.kind.anyAddress()
	}
	d := a.decide(config.Listen, transport, at)
	if !a.concernsPort(d) {
		return a.actInTargetContext()
	}
	if err := a.recordDecision(config.Listen, transport, at, d); err != nil {
		return err
	}
	err = unix.Listen(a.socket, a.call.backlog)
	a.record.errno = err
	if err == nil && named {
		a.session.container.bound.listens(cookie)
	}
	return err
}

// anyAddress returns the unspecified address of the socket's family, with port 0.
func (k socketKind) anyAddress() netip.AddrPort {
	if k.domain == unix.AF_INET6 {
		return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
}
