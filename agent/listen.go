package agent

import (
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// listen makes listen(2) on the duplicate. listen is a way to a port, too: the
// kernel binds an unbound socket to a port of its choice, and a port that
// connect(2) picked can outlive the connection.
func (a *attempt) listen(transport config.Protocol) error {
	if transport == config.UDP {
		return unix.Listen(a.socket, a.call.backlog) // EOPNOTSUPP, from the kernel itself
	}
	at, err := localAddress(a.socket)
	if err != nil {
		return err
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
	if err != nil {
		return err
	}
	// Another thread may have dissolved a port that connect(2) had picked, just
	// before listen. The kernel has then picked another port, or the same one at
	// every address.
	now, err := localAddress(a.socket)
	if err == nil && now.Addr() == at.Addr() && (now.Port() == at.Port() || at.Port() == 0) {
		return nil
	}
	if err == nil {
		d := a.decide(config.Listen, transport, now)
		err = a.recordDecision(config.Listen, transport, now, d)
	}
	if err == nil {
		return nil
	}
	_ = unix.Shutdown(a.socket, unix.SHUT_RDWR)
	return errDenied
}
