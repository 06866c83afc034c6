package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// within fails unless the limit allows everything that the list allows. The error names the first
// element that is too much, and the limit.
func (list ports) within(l *limit) error {
	bound := slices.SortedFunc(slices.Values(l.ports), func(a, b element) int {
		return cmp.Compare(a.first, b.first)
	})
	for i := range list {
		e := &list[i]
		if e.within(bound) {
			continue
		}
		mend := ""
		for _, protocol := range []Protocol{TCP, UDP, SCTP} {
			narrow := *e
			if narrow.protocol = protocol; e.protocol == "" && narrow.within(bound) {
				mend = fmt.Sprintf(": for one protocol write %s", narrow)
				break
			}
		}
		return fmt.Errorf("%s is more than %s%s", e, l.source, mend)
	}
	return nil
}

// within reports whether elements in the order of their first port allow together whatever one
// element allows.
func (e *element) within(bound []element) bool {
	protocols := []Protocol{TCP, UDP, SCTP, Other}
	if e.protocol != "" {
		protocols = []Protocol{e.protocol}
	}
	// An unspecified address stands for all of its family. No list of other addresses has them all.
	addrs := []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	if e.addr.IsValid() {
		addrs = []netip.Addr{e.addr}
	}
	for _, protocol := range protocols {
		for _, addr := range addrs {
			if !e.portsWithin(bound, protocol, addr) {
				return false
			}
		}
	}
	return true
}

func (e *element) portsWithin(bound []element, protocol Protocol, addr netip.Addr) bool {
	kernels := ports(bound).allow(protocol, addr, 0) // a port of the kernel's choice
	if e.first == 0 {
		return kernels
	}
	if e.isEvery() && !kernels {
		return false
	}
	next := int(e.first) // the lowest port that nothing allows so far
	for i := range bound {
		if b := &bound[i]; int(b.first) <= next && b.covers(protocol, addr) {
			next = max(next, int(b.last)+1)
		}
	}
	return next > int(e.last)
}
