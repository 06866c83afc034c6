package config

import (
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
		if r.Protocol = Protocol(protocol); !isProtocol(protocol) {
			return r, notProtocol(text, place, protocol, "tcp")
		}
	}
	if operation != Bind && operation != Listen {
		return r, fmt.Errorf("%q is no call: write bind or listen", operation)
	}
	if place == "*" {
		return r, fmt.Errorf("%q names no port: write %s", text, requests)
	}
	if err := checkHasPort(text, place, "80"); err != nil {
		return r, err
	}
	number := place[strings.LastIndexByte(place, ':')+1:]
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return r, fmt.Errorf("%q: %q is not a port, 0 to 65535: write %s", text, number, requests)
	}
	r.Port = uint16(port)
	if number == place {
		return r, nil
	}
	if r.Addr, err = requestedAddr(text, place, number); err != nil {
		return r, err
	}
	r.DualStack = r.Addr == netip.IPv6Unspecified()
	return r, nil
}

// requests are examples, for errors.
const requests = "80/tcp, 0.0.0.0:80/tcp or [::]:53/udp"

// requestedAddr returns the address of a place with an address and a port.
func requestedAddr(text, place, port string) (netip.Addr, error) {
	host := strings.TrimSuffix(place, ":"+port)
	at, err := netip.ParseAddrPort(place)
	if err == nil && at.Addr().Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q: an address with a zone is decided without it: "+
			"leave the zone out", text)
	}
	if err == nil {
		return at.Addr(), nil
	}
	if host == "*" {
		return netip.Addr{}, fmt.Errorf("%q: a request is for one address: write 0.0.0.0:%s "+
			"or [::]:%s", text, port, port)
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		return netip.Addr{}, fmt.Errorf("%q: an IPv6 address goes in brackets: write [%s]:%s",
			text, addr, port)
	}
	return netip.Addr{}, fmt.Errorf("%q: %q is not an IP address: write %s", text, host, requests)
}
