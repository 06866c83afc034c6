package config

import (
	"fmt"
	"strings"
)

// A portMap rewrites binds: a bind to one port is done on another.
type portMap []mapping

type mapping struct {
	asked, bound uint16
	protocol     Protocol // "" for every protocol
}

func parseMap(text string) (portMap, error) {
	var list portMap
	for element := range strings.SplitSeq(text, ",") {
		m, err := parseMapping(strings.TrimSpace(element))
		if err != nil {
			return nil, err
		}
		for _, other := range list {
			if other.asked == m.asked &&
				(other.protocol == m.protocol || other.protocol == "" || m.protocol == "") {
				return nil, fmt.Errorf("%q and %q both rewrite port %d: keep one of them",
					other, m, m.asked)
			}
		}
		if list = append(list, m); len(list) > maxElements {
			return nil, fmt.Errorf("more than %d elements", maxElements)
		}
	}
	return list, nil
}

func parseMapping(text string) (m mapping, err error) {
	ports, protocol, hasProtocol := strings.Cut(text, "/")
	if hasProtocol {
		if m.protocol, err = parseProtocol(text, ports, protocol); err != nil {
			return m, err
		}
	}
	asked, bound, ok := strings.Cut(ports, ":")
	if !ok {
		return m, fmt.Errorf("%q rewrites nothing: "+
			"write the port asked for and the port to bind, as in 80:5000", text)
	}
	if m.asked, err = parseMappedPort(text, asked); err != nil {
		return m, err
	}
	if m.bound, err = parseMappedPort(text, bound); err != nil {
		return m, err
	}
	if m.asked == 0 || m.bound == 0 {
		return m, fmt.Errorf("%q: port 0 can't be rewritten, nor be rewritten to: "+
			"use ports from 1 to 65535", text)
	}
	return m, nil
}

// parseMappedPort parses one of the two ports of a mapping.
func parseMappedPort(text, number string) (uint16, error) {
	port, ok := parseNumber(number)
	if !ok {
		return 0, fmt.Errorf("%q: %q is not a port to map: write a number from 1 to 65535; "+
			"neither ranges nor addresses can be mapped", text, number)
	}
	return port, nil
}

// rewrite returns the port to bind for a request of port, and whether it is
// another one.
func (list portMap) rewrite(protocol Protocol, port uint16) (uint16, bool) {
	if m := list.find(protocol, port); m != nil {
		return m.bound, true
	}
	return port, false
}

// find returns the mapping for a port, or nil.
func (list portMap) find(protocol Protocol, port uint16) *mapping {
	for i := range list {
		if m := &list[i]; m.asked == port && (m.protocol == "" || m.protocol == protocol) {
			return m
		}
	}
	return nil
}

func (m mapping) String() string {
	text := fmt.Sprintf("%d:%d", m.asked, m.bound)
	if m.protocol != "" {
		text += "/" + string(m.protocol)
	}
	return text
}

func (list portMap) String() string { return join(list) }
