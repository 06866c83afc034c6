package config

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// maxElements is the most elements, or mappings, that one source may list. It bounds the
// time that one decision takes.
const maxElements = 1024

// ports is a list of what may be bound.
type ports []element

// An element allows a range of ports at one address, or at all of them if addr is the
// zero Addr, for one protocol, or for all of them if protocol is "".
type element struct {
	addr        netip.Addr
	first, last uint16
	protocol    Protocol
}

// noPorts is the text for a list that allows nothing.
const noPorts = "none"

// parsePorts parses the grammar of -p and of port-restricter.port.
func parsePorts(text string) (ports, error) {
	if strings.TrimSpace(text) == noPorts {
		return nil, nil
	}
	var list ports
	for part := range strings.SplitSeq(text, ",") {
		e, err := parseElement(strings.TrimSpace(part))
		if err != nil {
			if strings.Contains(text, ",") {
				return nil, fmt.Errorf("in %q: %w", text, err)
			}
			return nil, err
		}
		if list = append(list, e); len(list) > maxElements {
			return nil, fmt.Errorf("more than %d elements: write ranges, as in 8000-8999",
				maxElements)
		}
	}
	return list, nil
}

func parseElement(text string) (e element, err error) {
	if text == "" {
		return e, fmt.Errorf("%q names no port: write a port such as 5000", text)
	}
	if text == noPorts {
		return e, fmt.Errorf("%s allows nothing, so it stands alone: "+
			"leave it out, or leave the ports out", noPorts)
	}
	rest, protocol, hasProtocol := strings.Cut(text, "/")
	if hasProtocol {
		if e.protocol, err = parseProtocol(text, rest, protocol); err != nil {
			return e, err
		}
	}
	if err := checkHasPort(text, rest, "5000"); err != nil {
		return e, err
	}
	if colon := strings.LastIndexByte(rest, ':'); colon >= 0 {
		if e.addr, err = parseAddr(text, rest[:colon]); err != nil {
			return e, err
		}
		rest = rest[colon+1:]
	}
	first, last, isRange := strings.Cut(rest, "-")
	if e.first, err = parsePort(text, first); err != nil {
		return e, err
	}
	e.last = e.first
	if isRange {
		if e.last, err = parsePort(text, last); err != nil {
			return e, err
		}
		switch {
		case e.last < e.first:
			return e, fmt.Errorf("%q: the range ends before it begins: write %d-%d",
				text, e.last, e.first)
		case e.first == 0:
			return e, fmt.Errorf("%q: 0 is no port but the kernel's choice: "+
				"list it by itself, as in 0,1-%d", text, e.last)
		}
	}
	return e, nil
}

// parseProtocol parses what is behind the slash in text. before is what is before it.
func parseProtocol(text, before, name string) (Protocol, error) {
	if isProtocol(name) {
		return Protocol(name), nil
	}
	return "", notProtocol(text, before, name, "all of them")
}

func parseAddr(text, host string) (netip.Addr, error) {
	if host == "*" {
		return netip.Addr{}, nil
	}
	if isPublished(host) {
		return netip.Addr{}, fmt.Errorf("%q: %s is not an IP address: to bind one port in place "+
			"of another, use map (--map, port-restricter.map)", text, host)
	}
	inner, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		if inner, bracketed = strings.CutSuffix(inner, "]"); !bracketed {
			return netip.Addr{}, fmt.Errorf("%q: the bracket of the IPv6 address is not closed: "+
				"write [::1]:5000", text)
		}
	}
	addr, err := netip.ParseAddr(inner)
	switch {
	case err != nil && strings.Contains(inner, ":") && !bracketed:
		return netip.Addr{}, fmt.Errorf("%q: an IPv6 address goes in brackets: "+
			"write [::1]:5000", text)
	case err != nil:
		return netip.Addr{}, fmt.Errorf("%q: %q is not an IP address: "+
			"write 127.0.0.1:5000, [::1]:5000 or *:5000", text, host)
	case addr.Is6() && !bracketed:
		return netip.Addr{}, fmt.Errorf("%q: an IPv6 address goes in brackets: "+
			"write [%s]:5000", text, addr)
	case addr.Is4() && bracketed:
		return netip.Addr{}, fmt.Errorf("%q: an IPv4 address goes without brackets: "+
			"write %s:5000", text, addr)
	case addr.Zone() != "":
		return netip.Addr{}, fmt.Errorf("%q: an element can't name a zone: "+
			"write [%s]:5000", text, addr.WithZone(""))
	}
	return addr.Unmap(), nil
}

// parsePort parses a decimal port. It refuses every spelling but the canonical
// one (05000, +5000), which another program could read as another number.
func parsePort(text, number string) (uint16, error) {
	port, ok := parseNumber(number)
	if ok {
		return port, nil
	}
	if number == noPorts {
		return 0, fmt.Errorf("%q: %s stands alone, without an address, a protocol or a range",
			text, noPorts)
	}
	err := fmt.Errorf("%q is not a port: write a number from 1 to 65535, "+
		"0 for one of the kernel's choice, or none for no port", number)
	if number != text {
		err = fmt.Errorf("%q: %w", text, err)
	}
	return 0, err
}

func parseNumber(text string) (port uint16, ok bool) {
	number, err := strconv.ParseUint(text, 10, 16)
	return uint16(number), err == nil && strconv.FormatUint(number, 10) == text
}

// everyPort is the list of every port there is.
const everyPort = "1-65535"

// allow reports whether an element allows this port.
func (list ports) allow(protocol Protocol, addr netip.Addr, port uint16) bool {
	return list.find(protocol, addr, port) != nil
}

// find returns the first element that allows this port, or nil. Port 0, of which the kernel makes
// one of its choice, is allowed by an element for 0, and by one for every port there is.
func (list ports) find(protocol Protocol, addr netip.Addr, port uint16) *element {
	for i := range list {
		e := &list[i]
		if (e.isEvery() || e.first <= port && port <= e.last) && e.covers(protocol, addr) {
			return e
		}
	}
	return nil
}

func (e *element) isEvery() bool { return e.first == 1 && e.last == math.MaxUint16 }

func (e *element) covers(protocol Protocol, addr netip.Addr) bool {
	if e.protocol != "" && e.protocol != protocol {
		return false
	}
	if !e.addr.IsValid() || e.addr == addr {
		return true
	}
	return e.addr.IsUnspecified() && e.addr.Is4() == addr.Is4()
}

func (e element) String() string {
	text := strconv.Itoa(int(e.first))
	if e.last != e.first {
		text += "-" + strconv.Itoa(int(e.last))
	}
	switch {
	case e.addr.Is4():
		text = e.addr.String() + ":" + text
	case e.addr.Is6():
		text = "[" + e.addr.String() + "]:" + text
	}
	if e.protocol != "" {
		text += "/" + string(e.protocol)
	}
	return text
}

func (list ports) String() string {
	if len(list) == 0 {
		return noPorts
	}
	return join(list)
}

func join[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, element := range list {
		texts[i] = element.String()
	}
	return strings.Join(texts, ",")
}
