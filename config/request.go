// Package config says what may be bound, and reads who said so: the grammar of
// ports, the annotations, and the decision. It is pure: it reads no file and
// asks no kernel.
package config

import (
	"fmt"
	"net/netip"
)

// A Protocol is what the policy looks at of a socket.
type Protocol string

// Other stands for an internet transport without a name here (DCCP, say): only
// a rule for every protocol allows it.
const (
	TCP   Protocol = "tcp"
	UDP   Protocol = "udp"
	SCTP  Protocol = "sctp"
	Other Protocol = "other"
)

// An Operation is the call that a request stands for.
type Operation string

// What the filter asks about.
const (
	Bind   Operation = "bind"
	Listen Operation = "listen"
)

// A Request is one call on an internet socket. For Listen the address is the
// socket's local one, with port 0 for an unbound socket, whose port the kernel
// would pick.
type Request struct {
	Operation Operation
	Protocol  Protocol
	Addr      netip.Addr // IPv4-mapped addresses are compared as IPv4
	Port      uint16
}

// A Verdict is what becomes of a request; the zero value denies.
type Verdict int

// Deny is EPERM, Allow binds what was asked for, Rewrite binds Decision.Port.
const (
	Deny Verdict = iota
	Allow
	Rewrite
)

// A Decision is the policy's answer.
type Decision struct {
	Verdict Verdict
	Port    uint16 // to bind
	Reason  Reason // why denied; with Audited, why enforce would have denied
	Audited bool   // let through only because the mode is audit
}

// A Reason is written out only for who reads it: a container can have itself
// refused without end. The zero value is none.
type Reason struct {
	text    string // or else:
	request Request
	port    uint16 // to bind
	source  string // that does not list it
}

// Because is a reason in words.
func Because(text string) Reason { return Reason{text: text} }

func (r Reason) String() string {
	if r.source == "" {
		return r.text
	}
	what := fmt.Sprintf("port %d/%s at %s", r.port, r.request.Protocol, addrText(r.request.Addr))
	switch {
	case r.port == 0:
		what = fmt.Sprintf("a port of the kernel's choice (0/%s)", r.request.Protocol)
	case r.port != r.request.Port:
		what = fmt.Sprintf("port %d/%s, to which %d is rewritten,", r.port, r.request.Protocol, r.request.Port)
	}
	return what + " is not in " + r.source
}

func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return "*"
	}
	return addr.String()
}
