package config

import (
	"net/netip"
	"strings"
)

// An Explanation is a decision, and what it was made of.
type Explanation struct {
	Decision
	Map    string    // the mapping that rewrites the port, or ""
	Limits []Opinion // of all limits; none if the policy denies everything
}

// An Opinion is what one limit says to a request.
type Opinion struct {
	Source  string // as in reasons
	Allowed bool
	// Element is the part of the limit's list that allows the request. It is "" if the request is
	// not allowed, and for a client's bind to port 0, which takes no element.
	Element string
	Audit   bool // what the limit does not allow is done all the same, and logged
}

// Explain answers a request as Decide does, and says which limits allow it, and why.
func (p *Policy) Explain(r Request) Explanation {
	all := Explanation{Decision: p.Decide(r)}
	r.Addr = r.Addr.Unmap()
	port := r.Port
	if r.Operation == Bind {
		if m := p.maps.find(r.Protocol, r.Port); m != nil {
			all.Map, port = m.String(), m.bound
		}
	}
	for i := range p.limits {
		l := &p.limits[i]
		o := Opinion{Source: l.source, Allowed: l.allows(r, port), Audit: l.audit}
		if o.Allowed {
			o.Element = l.elements(r, port)
		}
		all.Limits = append(all.Limits, o)
	}
	return all
}

// elements returns those by which a limit allows a request: a dual-stack socket can take two.
func (l *limit) elements(r Request, port uint16) string {
	var texts []string
	addrs := []netip.Addr{r.Addr, netip.IPv4Unspecified()}
	if !r.DualStack {
		addrs = addrs[:1]
	}
	for _, addr := range addrs {
		e := l.find(r, addr, port)
		if e == nil {
			return "" // only a bind to port 0 is allowed without
		}
		if text := e.String(); len(texts) == 0 || texts[0] != text {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, " and ")
}
