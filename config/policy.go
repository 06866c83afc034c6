package config

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrNoPolicy means that neither annotations nor metadata say what a container
// may bind.
var ErrNoPolicy = errors.New("no policy")

// A Policy decides what may be bound. The zero value denies every internet bind.
type Policy struct {
	limits  []limit // a request must be allowed by all of them
	maps    portMap
	denied  string   // why everything is denied, if limits is empty
	ignored []string // see Ignored
}

// Ignored returns a text for each annotation that asked for more than it may. Such an
// annotation counts for nothing.
func (p Policy) Ignored() []string { return p.ignored }

// Problem returns why the policy denies everything, or "" for a policy that somebody has chosen.
func (p Policy) Problem() string { return p.denied }

// A limit is what one source allows: the command line, the annotations of a container, the
// administrator's metadata, or an allow or default of a rule.
type limit struct {
	source      string // quoted in reasons, so that the reader finds the limit
	ports       ports
	noEphemeral bool // a bind to port 0 needs an element, as a bind to any other port does
	audit       bool
}

// Texts are the values of one source, unparsed. An empty text counts as not given.
type Texts struct{ Ports, Map, Mode, Ephemeral string }

// ParsePolicy returns the policy of a command line: the values of -p, --map, --mode and
// --ephemeral. An error names the flag, the value and how to correct it.
func ParsePolicy(t Texts) (Policy, error) {
	return t.parse(
		Texts{Ports: "-p", Map: "--map", Mode: "--mode", Ephemeral: "--ephemeral"}, " ")
}

// DenyAll returns a policy that denies every request for the given reason.
func DenyAll(reason string) Policy { return Policy{denied: reason} }

// parse returns the policy of one source. names are what the source calls its values, and
// separator is what it writes between a name and the value, for messages.
func (t Texts) parse(names Texts, separator string) (p Policy, err error) {
	allowed, err := parsePorts(t.Ports)
	if err != nil {
		return Policy{}, fmt.Errorf("%s: %w", names.Ports, err)
	}
	l := limit{source: names.Ports + separator + t.Ports, ports: allowed}
	switch t.Mode {
	case "audit":
		l.audit = true
	case "enforce", "":
	default:
		return Policy{}, fmt.Errorf("%s: %q is not a mode: write enforce or audit",
			names.Mode, t.Mode)
	}
	switch t.Ephemeral {
	case "deny":
		l.noEphemeral = true
	case "allow", "":
	default:
		return Policy{}, fmt.Errorf("%s: write allow or deny, not %q",
			names.Ephemeral, t.Ephemeral)
	}
	if t.Map != "" {
		if p.maps, err = parseMap(t.Map); err != nil {
			return Policy{}, fmt.Errorf("%s: %w", names.Map, err)
		}
		for _, m := range p.maps {
			if !allowed.contain(m.bound) {
				return Policy{}, fmt.Errorf("%s%s%s binds %d, which %s does not list: add %d there",
					names.Map, separator, m, m.bound, l.source, m.bound)
			}
		}
	}
	p.limits = []limit{l}
	return p, nil
}

// contain reports whether an element has the port, whatever its address and protocol.
func (list ports) contain(port uint16) bool {
	return slices.ContainsFunc(list, func(e element) bool {
		return e.first <= port && port <= e.last
	})
}

// Decide answers a request. It allocates nothing.
func (p *Policy) Decide(r Request) Decision {
	r.Addr = r.Addr.Unmap()
	d := Decision{Verdict: Allow, Port: r.Port}
	if r.Operation == Bind {
		if port, rewritten := p.maps.rewrite(r.Protocol, r.Port); rewritten {
			d.Verdict, d.Port = Rewrite, port
		}
	}
	if len(p.limits) == 0 {
		return Decision{Reason: NewReason(cmp.Or(p.denied, "there is no policy"))}
	}
	for i := range p.limits {
		l := &p.limits[i]
		if l.allows(r, d.Port) {
			continue
		}
		reason := Reason{request: r, port: d.Port, source: l.source}
		reason.onlyIPv6 = r.DualStack && l.allowsAt(r, r.Addr, d.Port)
		if !l.audit {
			return Decision{Reason: reason}
		}
		if !d.Audited {
			d.Audited, d.Reason = true, reason
		}
	}
	return d
}

// allows reports whether the limit allows everything that the request asks for.
//
// A bind to port 0 is a client's. The kernel picks a port for any socket that connects or
// sends, so to refuse the bind would protect nothing: what a port is for is decided by
// listen(2). And much would break. musl's resolver binds to port 0, and so do dig and QUIC.
func (l *limit) allows(r Request, port uint16) bool {
	if r.Operation == Bind && port == 0 && !l.noEphemeral {
		return true
	}
	return l.allowsAt(r, r.Addr, port) &&
		(!r.DualStack || l.allowsAt(r, netip.IPv4Unspecified(), port))
}

// allowsAt reports whether the limit has an element for one address. One for port 0
// also lets a socket listen on any other port. That clause serves only sockets that
// a command inherited, and direct users of this package: the agent passes port 0 for
// a port that the kernel picked, and it decided every other port at bind(2).
func (l *limit) allowsAt(r Request, addr netip.Addr, port uint16) bool {
	return l.find(r, addr, port) != nil
}

// find returns the element by which allowsAt is true, or nil.
func (l *limit) find(r Request, addr netip.Addr, port uint16) *element {
	if e := l.ports.find(r.Protocol, addr, port); e != nil || r.Operation != Listen {
		return e
	}
	return l.ports.find(r.Protocol, addr, 0)
}

// String returns the policy in its own grammar, for logs.
func (p Policy) String() string {
	if len(p.limits) == 0 {
		return "deny all"
	}
	var texts []string
	for _, l := range p.limits {
		text := l.ports.String()
		if l.noEphemeral {
			text += " ephemeral=deny"
		}
		if l.audit {
			text += " mode=audit"
		}
		texts = append(texts, text)
	}
	text := strings.Join(texts, " and ")
	if len(p.maps) > 0 {
		text += " map=" + p.maps.String()
	}
	return text
}
