package learn

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/port-restricter/port-restricter/config"
)

// An element is one port of a list, as in -p.
type element struct {
	port     uint16
	protocol config.Protocol // "" is every protocol
	addr     netip.Addr      // the zero Addr is every address
}

// String returns the element in the grammar of -p.
func (e element) String() string { return e.at(strconv.Itoa(int(e.port))) }

// at returns the element with other ports in place of its own.
func (e element) at(ports string) string {
	switch {
	case e.addr.Is4():
		ports = e.addr.String() + ":" + ports
	case e.addr.Is6():
		ports = "[" + e.addr.String() + "]:" + ports
	}
	if e.protocol != "" {
		ports += "/" + string(e.protocol)
	}
	return ports
}

func (e element) compare(other element) int {
	return cmp.Or(cmp.Compare(e.port, other.port), cmp.Compare(e.protocol, other.protocol),
		e.addr.Compare(other.addr))
}

// covers returns every element that allows what e allows, e among them, the widest first.
func (e element) covers() (found []element) {
	protocols := []config.Protocol{"", e.protocol}
	if e.protocol == "" {
		protocols = protocols[:1]
	}
	for _, protocol := range protocols {
		for _, addr := range coveringAddresses(e.addr) {
			found = append(found, element{e.port, protocol, addr})
		}
	}
	return found
}

// coveringAddresses returns the addresses that stand for addr in a list, the widest first.
func coveringAddresses(addr netip.Addr) []netip.Addr {
	every := []netip.Addr{{}}
	switch unspecified := unspecifiedLike(addr); {
	case !addr.IsValid():
		return every
	case addr == unspecified:
		return append(every, addr)
	default:
		return append(every, unspecified, addr)
	}
}

// unspecifiedLike returns the address that stands for every address of the same family.
func unspecifiedLike(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// elementOf returns the element that allows what the event asked for.
func elementOf(e *Event) (element, error) {
	found := element{port: e.Port, protocol: e.Protocol}
	if e.BoundPort != 0 {
		found.port = e.BoundPort
	}
	switch e.Protocol {
	case config.TCP, config.UDP, config.SCTP:
	case config.Other:
		found.protocol = ""
	default:
		return element{}, fmt.Errorf("protocol %q is not known", e.Protocol)
	}
	addr, err := netip.ParseAddr(e.Address)
	if err != nil {
		return element{}, fmt.Errorf("%q is not an IP address", e.Address)
	}
	// A list names no zone, and decides by the address without it.
	if addr = addr.Unmap().WithZone(""); !e.DualStack || addr != netip.IPv6Unspecified() {
		found.addr = addr
	}
	return found, nil
}
