package learn

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/port-restricter/port-restricter/config"
)

const (
	// inARow is how many neighbouring ports look like a range.
	inARow = 3
	// scattered is how many ports of one protocol and address look as if they were random.
	scattered = 8
)

// suggestions say what could be wider than what was seen, for a person to decide.
func suggestions(list []element) (texts []string) {
	type place struct {
		protocol config.Protocol
		addr     netip.Addr
	}
	ports := map[place][]element{} // in the order of the ports, as list is
	var places []place
	for _, e := range list {
		if e.port == 0 {
			continue
		}
		p := place{e.protocol, e.addr}
		if ports[p] == nil {
			places = append(places, p)
		}
		ports[p] = append(ports[p], e)
	}
	for _, p := range places {
		texts = append(texts, ranges(ports[p])...)
	}
	return append(texts, addresses(list)...)
}

// ranges returns the suggestions for the ports of one protocol at one address.
func ranges(list []element) (texts []string) {
	rest := 0
	for first := 0; first < len(list); {
		next := first + 1
		for next < len(list) && list[next].port == list[next-1].port+1 {
			next++
		}
		if next-first >= inARow {
			texts = append(texts, fmt.Sprintf("a range, if the program has more ports than were"+
				" seen: %s in place of the %d ports in a row",
				span(list[first:next]), next-first))
		} else {
			rest += next - first
		}
		first = next
	}
	if rest >= scattered {
		texts = append(texts, fmt.Sprintf("%d ports look as if they were random: let the program"+
			" use a few, or write a range such as %s", rest, span(list)))
	}
	return texts
}

// span returns the range from the first to the last port.
func span(list []element) string {
	return list[0].at(fmt.Sprintf("%d-%d", list[0].port, list[len(list)-1].port))
}

// addresses returns a suggestion for ports at an address that may change.
func addresses(list []element) (texts []string) {
	var wide []element
	for _, e := range list {
		if e.addr.IsValid() && !e.addr.IsUnspecified() && !e.addr.IsLoopback() {
			wide = append(wide, element{e.port, e.protocol, netip.Addr{}})
		}
	}
	wide = slices.Compact(wide)
	if len(wide) == 0 {
		return nil
	}
	text, more := "", ""
	for i, e := range wide {
		if i == few {
			more = " and so on"
			break
		}
		if i > 0 {
			text += ","
		}
		text += e.String()
	}
	return []string{"every address, if those above are of one machine or of one replica: " +
		text + more + " in their place"}
}
