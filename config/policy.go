package config

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// A Policy says what may be bound. The zero value denies every internet bind.
type Policy struct {
	speakers []speaker // all must allow
	maps     portMap
	denied   string // why everything is denied
}

// A speaker is one who set a limit: the command line, a container's
// annotations, the node's administrator.
type speaker struct {
	source string // how the reader of a reason finds the limit
	ports  ports
	audit  bool
}

// New makes the policy of a command line: ports as -p has them, maps of --map,
// mode of --mode. An error names the value and the mend.
func New(ports, maps, mode string) (Policy, error) {
	return policyOf(settings{port: &ports, maps: optional(maps), mode: optional(mode)},
		names{port: "-p", maps: "--map", mode: "--mode", separator: " "})
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// Denied makes a policy that denies everything, always with this reason.
func Denied(reason string) Policy { return Policy{denied: reason} }

// settings are the texts of one speaker; nil is what it does not speak of.
type settings struct{ port, maps, mode *string }

// names are what the speaker's settings are called in messages.
type names struct{ port, maps, mode, separator string }

func policyOf(s settings, n names) (p Policy, err error) {
	allowed, err := parsePorts(*s.port)
	if err != nil {
		return Policy{}, fmt.Errorf("%s: %w", n.port, err)
	}
	one := speaker{source: n.port + n.separator + *s.port, ports: allowed}
	if s.mode != nil {
		switch *s.mode {
		case "audit":
			one.audit = true
		case "enforce":
		default:
			return Policy{}, fmt.Errorf("%s: %q is not a mode: write enforce or audit", n.mode, *s.mode)
		}
	}
	if s.maps != nil {
		if p.maps, err = parseMap(*s.maps); err != nil {
			return Policy{}, fmt.Errorf("%s: %w", n.maps, err)
		}
		for _, m := range p.maps {
			if !allowed.contain(m.bound) {
				return Policy{}, fmt.Errorf("%s%s%s binds %d, which %s does not list: add %d there",
					n.maps, n.separator, m, m.bound, one.source, m.bound)
			}
		}
	}
	p.speakers = []speaker{one}
	return p, nil
}

// contain says whether some address and protocol allow the port.
func (list ports) contain(port uint16) bool {
	for _, r := range list {
		if r.first <= port && port <= r.last {
			return true
		}
	}
	return false
}

// Decide is a pure function of the request.
func (p *Policy) Decide(r Request) Decision {
	r.Addr = r.Addr.Unmap()
	d := Decision{Verdict: Allow, Port: r.Port}
	if r.Operation == Bind {
		if port, rewritten := p.maps.rewrite(r.Protocol, r.Port); rewritten {
			d.Verdict, d.Port = Rewrite, port
		}
	}
	if len(p.speakers) == 0 {
		return Decision{Reason: Because(cmp.Or(p.denied, "there is no policy"))}
	}
	for i := range p.speakers {
		s := &p.speakers[i]
		if s.allows(r, d.Port) {
			continue
		}
		reason := Reason{request: r, port: d.Port, source: s.source}
		if !s.audit {
			return Decision{Reason: reason}
		}
		if !d.Audited {
			d.Audited, d.Reason = true, reason
		}
	}
	return d
}

// allows also lets a socket listen on a port that the kernel picked, where its
// choice is allowed: ports of the socket's own choice were decided at its bind.
func (s *speaker) allows(r Request, port uint16) bool {
	return s.ports.allow(r.Protocol, r.Addr, port) ||
		r.Operation == Listen && s.ports.allow(r.Protocol, r.Addr, 0)
}

// String is the policy in its own grammar, for logs.
func (p Policy) String() string {
	if len(p.speakers) == 0 {
		return "deny all"
	}
	var texts []string
	for _, s := range p.speakers {
		text := s.ports.String()
		if s.audit {
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

// ErrNoPolicy says that nobody said what a container may bind.
var ErrNoPolicy = errors.New("no policy")
