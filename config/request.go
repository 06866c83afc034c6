package config

import "net/netip"

// A Protocol is the transport of a socket, as the policy distinguishes them.
type Protocol string

// The protocols that the grammar of ports can name, and Other, which stands for
// every other internet transport (DCCP, for example). Only a rule without a
// protocol allows Other.
const (
	TCP   Protocol = "tcp"
	UDP   Protocol = "udp"
	SCTP  Protocol = "sctp"
	Other Protocol = "other"
)

// An Operation is the system call that a request stands for.
type Operation string

// The operations that the seccomp filter asks about.
const (
	Bind   Operation = "bind"
	Listen Operation = "listen"
)

// A Request is one call on an internet socket. For Listen, Addr and Port are those
// that the socket was bound to by bind(2). Port is 0 for every other socket: the
// kernel would pick a port.
type Request struct {
	Operation Operation
	Protocol  Protocol
	Addr      netip.Addr // an IPv4-mapped IPv6 address is treated as IPv4
	Port      uint16
	// DualStack means that the socket is one of IPv6 at the unspecified address
	// without IPV6_V6ONLY, ipv6(7). It serves IPv4, too, so both must be allowed.
	DualStack bool
}
