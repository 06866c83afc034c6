package learn

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/port-restricter/port-restricter/config"
)

// limit bounds what a Learner remembers: a file can have anything in it.
const limit = 1 << 16

// ErrTooMuch means that there were more ports and containers than a Learner remembers.
var ErrTooMuch = fmt.Errorf("more than %d different ports and containers", limit)

// A Learner collects what containers need. Replicas, which have the same name and namespace, make
// one Group.
type Learner struct {
	groups map[groupKey]*Group
	size   int
}

type groupKey struct{ namespace, name, id string }

// A Group is what the containers of one name need.
type Group struct {
	Namespace, Name string // "" if no engine has named the container

	members   map[string]bool // the pods, or the ids of the containers
	needs     map[element]*seen
	maps      map[string]bool // in the grammar of --map
	calls     int             // that asked for a port
	allowed   int             // of them, by the policy in force
	picked    int             // of them, binds to port 0, which need nothing
	ephemeral bool            // one of them was, or would have been, refused
	failures  map[string]int  // reasons of refusals that no policy mends
}

// seen is what was seen of one element.
type seen struct {
	calls    int
	members  map[string]bool
	programs map[string]bool
	errnos   map[string]bool
	worked   bool // a call was allowed, or would have been, and succeeded
	refused  bool // by the policy in force
	listens  bool
}

// Add takes an event into account. An event that makes no sense is an error.
func (l *Learner) Add(e Event) error {
	if e.Address == "" && e.Decision == "deny" {
		l.addFailure(&e)
		return l.full()
	}
	what, err := elementOf(&e)
	if err != nil {
		return err
	}
	if !slices.Contains(decisions, e.Decision) {
		return fmt.Errorf("decision %q is not known", e.Decision)
	}
	switch e.Operation {
	case config.Bind:
		l.addBind(&e, what)
	case config.Listen:
		l.addNeed(&e, what)
	default:
		return fmt.Errorf("operation %q is not known", e.Operation)
	}
	return l.full()
}

// decisions are those that an Event can have.
var decisions = []string{"allow", "deny", "audit", "rewrite"}

func (l *Learner) addFailure(e *Event) {
	if g, _ := l.groupOf(e); l.grow(g.failures[e.Reason] == 0) {
		g.failures[e.Reason]++
	}
}

// addBind adds a bind. One to port 0 needs nothing: the kernel picks a port for whoever connects,
// too, and it is listen(2) that takes an element.
func (l *Learner) addBind(e *Event, what element) {
	g, _ := l.groupOf(e)
	if what.port == 0 {
		g.count(e)
		g.picked++
		g.ephemeral = g.ephemeral || e.Decision == "deny" || e.Decision == "audit"
		return
	}
	if e.BoundPort != 0 {
		m := fmt.Sprintf("%d:%d", e.Port, e.BoundPort)
		if what.protocol != "" {
			m += "/" + string(what.protocol)
		}
		if l.grow(!g.maps[m]) {
			g.maps[m] = true
		}
	}
	l.addNeed(e, what)
}

func (l *Learner) addNeed(e *Event, what element) {
	g, member := l.groupOf(e)
	g.count(e)
	if !l.grow(g.needs[what] == nil) {
		return
	}
	if g.needs[what] == nil {
		g.needs[what] = newSeen()
	}
	g.needs[what].add(e, member)
}

func (g *Group) count(e *Event) {
	g.calls++
	if e.Decision == "allow" || e.Decision == "rewrite" {
		g.allowed++
	}
}

func newSeen() *seen {
	return &seen{
		members: map[string]bool{}, programs: map[string]bool{}, errnos: map[string]bool{},
	}
}

// grow counts what is remembered from now on, and reports whether there is room.
func (l *Learner) grow(isNew bool) bool {
	if isNew {
		l.size++
	}
	return l.size <= limit
}

func (l *Learner) full() error {
	if l.size > limit {
		return ErrTooMuch
	}
	return nil
}

// groupOf returns the group of the event's container, and how the container is called in it.
func (l *Learner) groupOf(e *Event) (g *Group, member string) {
	key := groupKey{namespace: e.Namespace, name: e.Name}
	if member = e.Pod; member == "" {
		member = e.Container
	}
	if e.Name == "" {
		key = groupKey{id: e.Container}
	}
	if g = l.groups[key]; g == nil {
		g = &Group{
			Namespace: e.Namespace, Name: e.Name, members: map[string]bool{},
			needs: map[element]*seen{}, maps: map[string]bool{}, failures: map[string]int{},
		}
		if l.groups == nil {
			l.groups = map[groupKey]*Group{}
		}
		if l.grow(true) {
			l.groups[key] = g
		}
	}
	if l.grow(!g.members[member]) {
		g.members[member] = true
	}
	return g, member
}

// few bounds how many names of a kind are remembered of an element, and printed of anything.
const few = 5

func (s *seen) add(e *Event, member string) {
	s.calls++
	note := func(names map[string]bool, name string) {
		if name != "" && len(names) <= few { // one more tells that there are more
			names[name] = true
		}
	}
	note(s.members, member)
	note(s.programs, e.Program)
	note(s.errnos, e.Errno)
	s.refused = s.refused || e.Decision == "deny"
	s.worked = s.worked || e.Errno == "" && e.Decision != "deny"
	s.listens = s.listens || e.Operation == config.Listen
}

// merge adds what was seen of an element that s stands for.
func (s *seen) merge(other *seen) {
	s.calls += other.calls
	maps.Copy(s.members, other.members)
	maps.Copy(s.programs, other.programs)
	maps.Copy(s.errnos, other.errnos)
	s.refused, s.worked = s.refused || other.refused, s.worked || other.worked
	s.listens = s.listens || other.listens
}

// Groups returns what was learned, ordered by name. Without any event it is one empty group.
func (l *Learner) Groups() []*Group {
	if len(l.groups) == 0 {
		return []*Group{{}}
	}
	return slices.SortedFunc(maps.Values(l.groups), func(a, b *Group) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.firstMember(), b.firstMember()))
	})
}

func (g *Group) firstMember() string {
	return slices.Min(append(slices.Collect(maps.Keys(g.members)), "\U0010ffff"))
}

// elements returns the shortest list of elements that allows no more than what was seen.
func (g *Group) elements() ([]element, map[element]*seen) {
	all := maps.Clone(g.needs)
	for e := range g.needs {
		// 0.0.0.0 and [::] together are every address.
		v4, v6 := e, e
		v4.addr, v6.addr = netip.IPv4Unspecified(), netip.IPv6Unspecified()
		if every := (element{e.port, e.protocol, netip.Addr{}}); all[every] == nil &&
			all[v4] != nil && all[v6] != nil {
			all[every] = newSeen()
		}
	}
	kept := map[element]*seen{}
	for e, s := range all {
		for _, wider := range e.covers() {
			if all[wider] == nil {
				continue
			}
			if kept[wider] == nil {
				kept[wider] = newSeen()
			}
			kept[wider].merge(s)
			break
		}
	}
	return slices.SortedFunc(maps.Keys(kept), element.compare), kept
}

// Texts returns the policy as the values of the command line's flags. An error says why there
// is no such policy.
func (g *Group) Texts() (config.Texts, error) {
	list, _ := g.elements()
	t := config.Texts{Ports: "none", Map: strings.Join(sortedMaps(g.maps), ",")}
	if len(list) > 0 {
		texts := make([]string, len(list))
		for i, e := range list {
			texts[i] = e.String()
		}
		t.Ports = strings.Join(texts, ",")
	}
	_, err := config.ParsePolicy(t)
	return t, err
}

// sortedMaps returns mappings in the order of the ports that are asked for.
func sortedMaps(mappings map[string]bool) []string {
	asked := func(m string) int {
		port, _, _ := strings.Cut(m, ":")
		n, _ := strconv.Atoi(port)
		return n
	}
	return slices.SortedFunc(maps.Keys(mappings), func(a, b string) int {
		return cmp.Or(cmp.Compare(asked(a), asked(b)), cmp.Compare(a, b))
	})
}
