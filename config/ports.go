package config

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// maxRules is the most rules, or mappings, that one source may list. It bounds the
// time that one decision takes.
const maxRules = 1024

// ports is a list of what may be bound.
type ports []rule

// A rule allows a range of ports at one address, or at all of them if addr is the
// zero Addr, for one protocol, or for all of them if protocol is "".
type rule struct {
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
	for element := range strings.SplitSeq(text, ",") {
		r, err := parseRule(strings.TrimSpace(element))
		if err != nil {
			if strings.Contains(text, ",") {
				return nil, fmt.Errorf("in %q: %w", text, err)
			}
			return nil, err
		}
		if list = append(list, r); len(list) > maxRules {
			return nil, fmt.Errorf("more than %d elements: write ranges, as in 8000-8999", maxRules)
		}
	}
	return list, nil
}

func parseRule(text string) (r rule, err error) {
	if text == "" {
		return r, fmt.Errorf("%q names no port: write a port such as 5000", text)
	}
	if text == noPorts {
		return r, fmt.Errorf("%s allows nothing, so it stands alone: "+
			"leave it out, or leave the ports out", noPorts)
	}
	rest, protocol, hasProtocol := strings.Cut(text, "/")
	if hasProtocol {
		if r.protocol, err = parseProtocol(text, protocol); err != nil {
			return r, err
		}
	}
	if colon := strings.LastIndexByte(rest, ':'); colon >= 0 {
		if r.addr, err = parseAddr(text, rest[:colon]); err != nil {
			return r, err
		}
		rest = rest[colon+1:]
	}
	first, last, isRange := strings.Cut(rest, "-")
	if r.first, err = parsePort(text, first); err != nil {
		return r, err
	}
	r.last = r.first
	if isRange {
		if r.last, err = parsePort(text, last); err != nil {
			return r, err
		}
		switch {
		case r.last < r.first:
			return r, fmt.Errorf("%q: the range ends before it begins: write %d-%d",
				text, r.last, r.first)
		case r.first == 0:
			return r, fmt.Errorf("%q: 0 is no port but the kernel's choice: "+
				"list it by itself, as in 0,1-%d", text, r.last)
		}
	}
	return r, nil
}

func parseProtocol(text, name string) (Protocol, error) {
	switch p := Protocol(name); p {
	case TCP, UDP, SCTP:
		return p, nil
	}
	return "", fmt.Errorf("%q: %q is not a protocol: "+
		"write tcp, udp or sctp, or none for all of them", text, name)
}

func parseAddr(text, host string) (netip.Addr, error) {
	if host == "*" {
		return netip.Addr{}, nil
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
	case err != nil && isNumber(inner):
		return netip.Addr{}, fmt.Errorf("%q: %s is not an IP address: to bind one port in place "+
			"of another, use map (--map, port-restricter.map)", text, host)
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
		return netip.Addr{}, fmt.Errorf("%q: a rule can't name a zone: "+
			"write [%s]:5000", text, addr.WithZone(""))
	}
	return addr.Unmap(), nil
}

// isNumber reports whether text is a number. Docker's -p 80:8080 maps ports.
func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}

// parsePort parses a decimal port. It refuses every spelling but the canonical
// one (05000, +5000), which another program could read as another number.
func parsePort(text, number string) (uint16, error) {
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || strconv.FormatUint(port, 10) != number {
		err = fmt.Errorf("%q is not a port: write a number from 1 to 65535, "+
			"0 for one of the kernel's choice, or none for no port", number)
		if number != text {
			err = fmt.Errorf("%q: %w", text, err)
		}
		return 0, err
	}
	return uint16(port), nil
}

// allow reports whether a rule allows this port. Port 0, of which the kernel makes one of
// its choice, is allowed by a rule for 0, and by one for every port there is.
func (list ports) allow(protocol Protocol, addr netip.Addr, port uint16) bool {
	for i := range list {
		r := &list[i]
		every := r.first == 1 && r.last == math.MaxUint16
		if (every || r.first <= port && port <= r.last) && r.covers(protocol, addr) {
			return true
		}
	}
	return false
}

func (r *rule) covers(protocol Protocol, addr netip.Addr) bool {
	if r.protocol != "" && r.protocol != protocol {
		return false
	}
	if !r.addr.IsValid() || r.addr == addr {
		return true
	}
	return r.addr.IsUnspecified() && r.addr.Is4() == addr.Is4()
}

func (r rule) String() string {
	text := strconv.Itoa(int(r.first))
	if r.last != r.first {
		text += "-" + strconv.Itoa(int(r.last))
	}
	switch {
	case r.addr.Is4():
		text = r.addr.String() + ":" + text
	case r.addr.Is6():
		text = "[" + r.addr.String() + "]:" + text
	}
	if r.protocol != "" {
		text += "/" + string(r.protocol)
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
