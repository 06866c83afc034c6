package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ParseRequest returns the request that a text like 80/tcp, 0.0.0.0:80 or [::]:53/udp means.
// Without a protocol it is TCP, and without an address that of every IPv4 address. A socket of
// IPv6 at [::] is taken to serve IPv4, too, as without IPV6_V6ONLY.
func ParseRequest(operation Operation, text string) (r Request, err error) {
	r = Request{Operation: operation, Protocol: TCP, Addr: netip.IPv4Unspecified()}
	place, protocol, given := strings.Cut(text, "/")
	if given {
		r.Protocol = Protocol(protocol)
	}
	switch r.Protocol {
	case TCP, UDP, SCTP:
	default:
		return r, fmt.Errorf("%q: %q is not a protocol: write tcp, udp or sctp", text, protocol)
	}
	if operation != Bind && operation != Listen {
		return r, fmt.Errorf("%q is no call: write bind or listen", operation)
	}
	if i := strings.LastIndexByte(place, ':'); i >= 0 {
		at, err := netip.ParseAddrPort(place)
		if err != nil {
			return r, fmt.Errorf("%q: %w: write 80/tcp, 0.0.0.0:80/tcp or [::]:53/udp", text, err)
		}
		if at.Addr().Zone() != "" {
			return r, errors.New("an address with a zone is decided without it: leave the zone out")
		}
		r.Addr, r.Port = at.Addr(), at.Port()
		r.DualStack = r.Addr == netip.IPv6Unspecified()
		return r, nil
	}
	port, err := strconv.ParseUint(place, 10, 16)
	if err != nil {
		return r, fmt.Errorf("%q: %q is not a port, 0 to 65535: write 80/tcp, 0.0.0.0:80/tcp or "+
			"[::]:53/udp", text, place)
	}
	r.Port = uint16(port)
	return r, nil
}
