package agent

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/handover"
	"github.com/port-restricter/port-restricter/agent/internal/fault"
	"github.com/port-restricter/port-restricter/agent/target"
	"github.com/port-restricter/port-restricter/config"
)

// maxSockaddr is sizeof(struct sockaddr_storage), in bytes: bind(2) accepts no more.
const maxSockaddr = 128

// An attempt is one notified call on its way to an answer: what the target asked
// for, copied once, and a duplicate of the socket that it asked for.
type attempt struct {
	session *session
	id      uint64
	tid     uint32
	neutral bool
	threads *target.Cache
	slot    *handover.Slot

	call   call
	target targetThread
	buffer [maxSockaddr]byte
	asked  []byte // the sockaddr, or the option's value
	socket int
	kind   socketKind

	dualStack bool // what was decided on last is for both families

	wanted []byte // the sockaddr to bind to: asked, or what the policy makes of it
	cookie uint64 // of the socket, or 0
	bound  bool   // a bind was done, and cookie identifies its socket
	// taken means that a predecessor did the bind, and that the socket holds its port.
	taken  bool
	record record
}

// run makes the call if the policy allows it.
func (a *attempt) run(n *notification) error { return a.recordRefusal(a.serve(n)) }

func (a *attempt) serve(n *notification) (err error) {
	defer catch(a.session.audit.log, &err)
	if err := a.inspect(n); err != nil {
		return err
	}
	fault.At("inspected", 0)
	return a.act()
}

// act makes the call, in the way that fits the socket.
func (a *attempt) act() error {
	transport, internet := a.kind.transport()
	switch {
	case a.call.kind == target.Setsockopt:
		return a.setsockopt()
	case a.kind.domain == familyRxRPC:
		return errors.New("AF_RXRPC sockets bind a UDP port in the kernel, which no rule can bound")
	case !internet:
		return a.actInTargetContext()
	case a.call.kind == target.Bind:
		return a.bind(transport)
	}
	return a.listen(transport)
}

// recordRefusal returns err. If err is neither nil nor an answer of the kernel, it
// records err as the reason of a refusal.
func (a *attempt) recordRefusal(err error) error {
	if err == nil {
		return nil
	}
	if _, answered := targetErrno(err); answered ||
		errors.Is(err, errNative) || errors.Is(err, target.ErrWithdrawn) {
		return err
	}
	if a.record.decision != "deny" {
		a.record.decision, a.record.reason = "deny", config.NewReason(err.Error())
	}
	if a.record.operation == "" {
		a.record.operation = operations[a.call.kind]
	}
	return err
}

// operations names what a call does, and a call of which nothing could be read.
var operations = map[target.Kind]config.Operation{
	0: "call", target.Bind: config.Bind, target.Listen: config.Listen,
	target.Setsockopt: "setsockopt",
}

// targetErrno returns the errno of a call that was made for the target. An errno
// that is wrapped belongs to the supervisor (it ran out of fds, for example), and
// the target is not told.
func targetErrno(err error) (errno unix.Errno, ok bool) {
	errno, ok = err.(unix.Errno)
	return errno, ok
}

// inspect opens the target, copies what it asked for and duplicates its socket. It
// returns errors in the order in which bind(2) finds them: the fd, the length, the
// memory.
func (a *attempt) inspect(n *notification) (err error) {
	if a.target, err = a.session.open(a.threads, n.PID); err != nil {
		if !a.valid() {
			return target.ErrWithdrawn // it has ended
		}
		return err
	}
	if a.call, err = decodeCall(n, a.target); err != nil {
		return err
	}
	var readErr error
	if a.call.kind != target.Listen {
		if a.call.addrlen < 0 || a.call.addrlen > maxSockaddr {
			readErr = unix.EINVAL
		} else {
			// Before the socket is duplicated: this may block for ever, and must
			// not hold the socket meanwhile.
			a.asked = a.buffer[:a.call.addrlen]
			readErr = a.target.Read(a.call.addr, a.asked)
		}
	}
	var socketErr error
	if a.socket, socketErr = a.target.Socket(a.call.fd); socketErr == nil {
		a.kind, socketErr = kindOf(a.socket)
	}
	// If the thread still waits, it was the same thread all along, so memory and
	// socket are its own.
	if !a.valid() {
		return target.ErrWithdrawn
	}
	if socketErr != nil {
		return socketErr
	}
	return readErr
}

func (a *attempt) valid() bool { return a.session.notifier.valid(a.id) }

func (a *attempt) release() {
	if a.socket >= 0 {
		unix.Close(a.socket)
	}
	if a.target != nil {
		a.target.Close()
	}
}

// decide asks the policy.
func (a *attempt) decide(
	operation config.Operation, transport config.Protocol, at netip.AddrPort,
) config.Decision {
	a.dualStack = at.Addr() == netip.IPv6Unspecified() && isDualStack(a.socket)
	return a.session.policy.Load().Decide(config.Request{
		Operation: operation, Protocol: transport, Addr: at.Addr(), Port: at.Port(),
		DualStack: a.dualStack,
	})
}

// concernsPort reports whether the decision is about a port of the socket. A raw
// socket has none, whatever its protocol number. The socket is not asked if the
// policy allows the call as it is: then the answer would make no difference.
func (a *attempt) concernsPort(d config.Decision) bool {
	return d.Verdict == config.Allow && !d.Audited || !isRaw(a.socket)
}

// recordDecision records the decision for the log. It returns errDenied for one
// that denies.
func (a *attempt) recordDecision(
	operation config.Operation, transport config.Protocol, at netip.AddrPort, d config.Decision,
) error {
	decision, err := "allow", error(nil)
	switch {
	case d.Verdict == config.Deny:
		decision, err = "deny", errDenied
	case d.Audited:
		decision = "audit"
	case d.Verdict == config.Rewrite:
		decision = "rewrite"
	}
	a.record = record{
		operation: operation, protocol: transport, at: at, dualStack: a.dualStack,
		decision: decision, reason: d.Reason,
	}
	if d.Verdict == config.Rewrite {
		a.record.bound = d.Port
	}
	fault.At("decided", at.Port())
	return err
}

// errDenied means that the policy denied the call. The record has the reason.
var errDenied = errors.New("refused by policy")

// actInTargetContext serves a call that is not about an internet port. The kernel
// runs the call itself if nobody can change which socket it is about; otherwise a
// helper makes it with the target's identity.
func (a *attempt) actInTargetContext() error {
	a.wanted = a.asked
	if a.claimOrphan() {
		return nil
	}
	if !a.call.argsInMemory &&
		a.target.KeepsSocket(a.call.fd, a.socket, a.session.record.Home, a.scanAtPace) {
		return errNative
	}
	if err := a.mayHaveHelper(); err != nil {
		return err
	}
	a.writeDown() // after the wait: a successor takes the call for one that a helper may have made
	return a.settle(a.makeCall(a.asked))
}

// makeCallAtPace is makeCall, once the container may have a helper.
func (a *attempt) makeCallAtPace(argument []byte) error {
	if err := a.mayHaveHelper(); err != nil {
		return err
	}
	return a.makeCall(argument)
}

// makeCall makes a helper do the call with argument in the target's place. mayHaveHelper comes
// before it.
func (a *attempt) makeCall(argument []byte) error {
	call := a.callOnBehalf(argument)
	if a.sharesUMEM() {
		return a.bindWithUMEM(call)
	}
	call = a.fromDirectory(call)
	if call.Directory != 0 {
		defer unix.Close(call.Directory)
	}
	return a.letHelper(call)
}

func (a *attempt) callOnBehalf(argument []byte) target.Call {
	return target.Call{
		Kind: a.call.kind, Socket: a.socket, Argument: argument,
		Backlog: a.call.backlog, Level: a.call.level, Option: a.call.option,
		Abandoned: func() bool { return a.session.isGone() && !a.valid() },
	}
}
