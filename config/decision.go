package config

import (
	"fmt"
	"net/netip"
)

// A Verdict is the outcome of a request. The zero value is Deny.
type Verdict int

// Deny answers EPERM, Allow binds the port that was asked for, and Rewrite binds
// Decision.Port instead.
const (
	Deny Verdict = iota
	Allow
	Rewrite
)

// A Decision is the policy's answer to a request.
type Decision struct {
	Verdict Verdict
	Port    uint16 // the port to bind
	Reason  Reason // why the request is denied or, if Audited, would be denied
	Audited bool   // allowed only because the mode is audit
}

// A Reason says why a request was denied. The zero value is no reason. Its text
// is composed by String alone: a container can provoke refusals without end, and
// most of them are never logged.
type Reason struct {
	text    string // if set, the whole reason
	request Request
	port    uint16 // the port that would be bound
	source  string // the limit that does not allow it

	// onlyIPv6 means that the limit allows the IPv6 half of a dual-stack socket.
	onlyIPv6 bool
}

// NewReason returns a Reason with the given text.
func NewReason(text string) Reason { return Reason{text: text} }

// String returns the reason in words, or "" for no reason.
func (r Reason) String() string {
	if r.source == "" {
		return r.text
	}
	what := fmt.Sprintf("port %d/%s at %s", r.port, r.request.Protocol, addrText(r.request.Addr))
	switch {
	case r.onlyIPv6:
		return fmt.Sprintf("port %d/%s at [::] without IPV6_V6ONLY serves IPv4, too, which %s "+
			"does not allow: write *:%d there, or set IPV6_V6ONLY",
			r.port, r.request.Protocol, r.source, r.port)
	case r.port == 0:
		return fmt.Sprintf("a port of the kernel's choice (0/%s) is not in %s: "+
			"add the element 0 to allow it",
			r.request.Protocol, r.source)
	case r.port != r.request.Port:
		what = fmt.Sprintf("port %d/%s, to which %d is rewritten,",
			r.port, r.request.Protocol, r.request.Port)
	}
	return what + " is not in " + r.source
}

func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return "*"
	}
	return addr.String()
}
