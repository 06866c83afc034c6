package agent

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// maxSockaddr is sizeof(struct sockaddr_storage): bind(2) takes no more.
const maxSockaddr = 128

// An attempt is one notified call on its way through: what the target asked
// for, copied once, and the socket it asked it for.
type attempt struct {
	session *session
	id      uint64
	neutral bool
	threads *threads

	call   call
	target target
	buffer [maxSockaddr]byte
	asked  []byte // the sockaddr, or the option's value
	socket int
	kind   socketKind

	bound  bool // a bind was done; cookie names its socket
	cookie uint64
	record record
}

func (a *attempt) run(n *notification) error {
	err := a.look(n)
	if err != nil {
		return a.refusedUnless(err)
	}
	transport, internet := a.kind.transport()
	switch {
	case a.call.kind == callSetsockopt:
		err = a.setsockopt()
	case a.kind.domain == familyRxRPC:
		err = errors.New("AF_RXRPC sockets bind a UDP port in the kernel, which no rule can bound")
	case !internet:
		err = a.inTargetsContext()
	case a.call.kind == callBind:
		err = a.bind(transport)
	default:
		err = a.listen(transport)
	}
	if err == errNoPort {
		err = a.inTargetsContext()
	}
	return a.refusedUnless(err)
}

// refusedUnless lets errnos of the kernel through and records any other error
// as the reason of a refusal.
func (a *attempt) refusedUnless(err error) error {
	if err == nil {
		return nil
	}
	if _, answered := kernelsAnswer(err); answered || errors.Is(err, errNative) || errors.Is(err, errWithdrawn) {
		return err
	}
	if a.record.decision != "deny" {
		a.record.decision, a.record.reason = "deny", config.Because(err.Error())
	}
	if a.record.operation == "" {
		a.record.operation = map[callKind]config.Operation{callBind: config.Bind, callListen: config.Listen, callSetsockopt: "setsockopt"}[a.call.kind]
	}
	return err
}

// kernelsAnswer is the errno of a call that was made for the target. Words around
// an errno make it a reason of ours, such as that we ran out of fds.
func kernelsAnswer(err error) (errno unix.Errno, ok bool) {
	errno, ok = err.(unix.Errno)
	return errno, ok
}

// look takes hold of the target, copies what it asked for and duplicates its
// socket, and reports errors in the order in which bind(2) finds them: the fd,
// the length, the memory.
func (a *attempt) look(n *notification) (err error) {
	if a.target, err = a.session.open(a.threads, n.PID); err != nil {
		return err
	}
	if a.call, err = decodeCall(n, a.target); err != nil {
		return err
	}
	var readErr error
	if a.call.kind != callListen {
		if a.call.addrlen < 0 || a.call.addrlen > maxSockaddr {
			readErr = unix.EINVAL
		} else {
			// Before the duplicate is made: this may block for ever, and
			// does not hold the socket meanwhile.
			a.asked = a.buffer[:a.call.addrlen]
			readErr = a.target.read(a.call.addr, a.asked)
		}
	}
	var socketErr error
	if a.socket, socketErr = a.target.socket(a.call.fd); socketErr == nil {
		a.kind, socketErr = kindOf(a.socket)
	}
	// From its receipt to here the notification's thread was the same one:
	// it waits still. So memory and socket are its, and not those of another
	// thread to which its id was given.
	if !a.valid() {
		return errWithdrawn
	}
	if socketErr != nil {
		return socketErr
	}
	return readErr
}

func (a *attempt) valid() bool { return a.session.kernel.valid(a.id) }

func (a *attempt) release() {
	if a.socket >= 0 {
		unix.Close(a.socket)
	}
	if a.target != nil {
		a.target.close()
	}
}

// decide asks the policy and records what it said. The error is errDenied, or
// errNoPort.
func (a *attempt) decide(operation config.Operation, transport config.Protocol, at netip.AddrPort) (config.Decision, error) {
	d := a.session.policy.Decide(config.Request{Operation: operation, Protocol: transport, Addr: at.Addr(), Port: at.Port()})
	// Where the policy allows it as it stands, it doesn't matter.
	if (d.Verdict != config.Allow || d.Audited) && isRaw(a.socket) {
		return d, errNoPort
	}
	decision, err := "allow", error(nil)
	switch {
	case d.Verdict == config.Deny:
		decision, err = "deny", errDenied
	case d.Audited:
		decision = "audit"
	case d.Verdict == config.Rewrite:
		decision = "rewrite"
	}
	a.record = record{operation: operation, protocol: transport, at: at, decision: decision, reason: d.Reason}
	return d, err
}

var (
	// errDenied is the policy's no; the record has the reason.
	errDenied = errors.New("refused by policy")
	// errNoPort says that there was nothing to decide.
	errNoPort = errors.New("the socket has no port")
)

// inTargetsContext serves what is not about internet ports: the kernel runs the
// call itself where nobody can change which socket it is about, else a helper
// does as the target would.
func (a *attempt) inTargetsContext() error {
	if a.repeats() {
		return nil
	}
	if !a.call.argsInMemory && a.target.exclusive() {
		return errNative
	}
	return a.settle(a.target.actAsTarget(&a.call, a.socket, a.asked, a.valid))
}
