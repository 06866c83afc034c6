package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// The functions here recognize what was meant by a text that is no element, for the error to say
// what to write.

// notProtocol returns the error for a text whose part behind the slash is no protocol. without says
// what a text without a protocol is for.
func notProtocol(text, before, name, without string) error {
	_, addrErr := netip.ParseAddr(strings.Trim(before, "[]"))
	first, rest, hasColon := strings.Cut(name, ":")
	switch {
	case isProtocol(before):
		return fmt.Errorf("%q: the protocol comes last: write %s/%s", text, name, before)
	case hasColon && isProtocol(first):
		return fmt.Errorf("%q: the protocol comes last: write %s:%s/%s",
			text, before, rest, first)
	case hasColon && addrErr == nil:
		return fmt.Errorf("%q: write one address, and no network, as in %s:%s",
			text, before, rest)
	}
	return fmt.Errorf("%q: %q is not a protocol: write tcp, udp or sctp, or leave %q out, "+
		"for %s", text, name, "/"+name, without)
}

func isProtocol(name string) bool {
	switch Protocol(name) {
	case TCP, UDP, SCTP:
		return true
	}
	return false
}

// checkHasPort fails for an address alone. port is one for the example.
func checkHasPort(text, place, port string) error {
	if place == "*" {
		return fmt.Errorf("%q names no port: write *:%s, or %s for every port",
			text, port, everyPort)
	}
	inner, bracketed := strings.CutPrefix(place, "[")
	if bracketed {
		if inner, bracketed = strings.CutSuffix(inner, "]"); !bracketed {
			return nil
		}
	}
	switch addr, err := netip.ParseAddr(inner); {
	case err == nil && addr.Is4():
		return fmt.Errorf("%q names no port: write %s:%s", text, addr, port)
	case bracketed:
		return fmt.Errorf("%q names no port: write %s:%s", text, place, port)
	}
	return nil
}

// isPublished reports whether a text before a colon and a port has ports itself: Docker's
// -p 80:8080 and -p 0.0.0.0:80:8080 map ports.
func isPublished(host string) bool {
	isPorts := func(text string) bool {
		return text != "" && strings.Trim(text, "0123456789-") == ""
	}
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 {
		return isPorts(host)
	}
	before := host[:colon]
	return isPorts(host[colon+1:]) &&
		(!strings.Contains(before, ":") || strings.HasSuffix(before, "]"))
}
