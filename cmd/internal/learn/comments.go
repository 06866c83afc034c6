package learn

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// longest bounds what a container chose, in bytes.
const longest = 240

// printable returns what a container chose, for a comment.
func printable(text string) string {
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return inquiry.Printable(text)
}

// names returns a few of the names.
func names(set map[string]bool) string {
	sorted := slices.Sorted(maps.Keys(set))
	more := ""
	if len(sorted) > few {
		sorted, more = sorted[:few], " and others"
	}
	for i, name := range sorted {
		sorted[i] = printable(name)
	}
	return strings.Join(sorted, ", ") + more
}

// title says who needs the ports.
func (g *Group) title(command string) string {
	switch {
	case command != "":
		return printable(command)
	case g.Name == "" && len(g.members) == 0:
		return "nobody"
	case g.Name == "":
		return "container " + names(g.members)
	}
	text := printable(g.Name)
	if g.Namespace != "" {
		text += " of namespace " + printable(g.Namespace)
	}
	return text + fmt.Sprintf(" (%s: %s)", count(len(g.members), "container"), names(g.members))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// comments says what was learned, a line for each element, and what else to know.
func (g *Group) comments(command string) []string {
	list, what := g.elements()
	needs := "needs " + count(len(list), "port")
	if len(list) == 0 {
		needs = "needs no port"
	}
	lines := []string{fmt.Sprintf("%s %s, after %s of bind and listen on internet sockets",
		g.title(command), needs, count(g.calls, "call"))}
	width := 0
	for _, e := range list {
		width = max(width, len(e.String()))
	}
	for _, e := range list {
		comment := what[e].comment(e, len(g.members))
		lines = append(lines, fmt.Sprintf("  %-*s  %s", width, e, comment))
	}
	lines = append(lines, suggestions(list)...)
	if command == "" && g.allowed == 0 {
		lines = append(lines, "no call that the policy in force allows is among the events:"+
			" if they were recorded without --all, its ports are missing here")
	}
	switch {
	case g.picked > 0 && g.ephemeral:
		lines = append(lines, fmt.Sprintf("%s to port 0, as clients do: without ephemeral=deny, "+
			"which is in force, they need no element", count(g.picked, "bind")))
	case g.picked > 0:
		lines = append(lines, fmt.Sprintf("%s to port 0, as clients do: they need no element",
			count(g.picked, "bind")))
	}
	for _, reason := range sortedFew(g.failures) {
		lines = append(lines, fmt.Sprintf("%s refused for a reason that no list of ports mends: %s",
			count(g.failures[reason], "call"), printable(reason)))
	}
	return lines
}

func sortedFew(set map[string]int) []string {
	sorted := slices.Sorted(maps.Keys(set))
	return sorted[:min(len(sorted), few)]
}

// comment says what was seen of an element, in a group of so many members.
func (s *seen) comment(e element, members int) string {
	var parts []string
	if len(s.programs) > 0 {
		parts = append(parts, names(s.programs))
	}
	if e.port == 0 {
		parts = append(parts, "listens on a port that the kernel chose: "+
			"0 lets it listen on any that the kernel chooses")
	}
	if e.protocol == "" {
		parts = append(parts, "a protocol that has no name in a list: "+
			"the element allows the port for every protocol")
	}
	if len(s.members) < members && len(s.members) <= few {
		parts = append(parts, "only in "+names(s.members))
	}
	if !s.worked && len(s.errnos) > 0 {
		parts = append(parts, "it failed each time ("+names(s.errnos)+"), but not for the policy")
	}
	if s.refused {
		parts = append(parts, "refused by the policy in force")
	}
	if parts == nil {
		return count(s.calls, "call")
	}
	return strings.Join(parts, "; ")
}
