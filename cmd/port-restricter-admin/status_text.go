package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// idLength is how much of an id a table shows, as engines do.
const idLength = 12

// text returns the table of all containers, at most so wide, or as wide as it is for 0.
func (s summary) text(width int) string {
	if len(s.Containers) == 0 {
		return "The agent serves no container.\n" + rulesText(s.Agent.Settings)
	}
	padded := lipgloss.NewStyle().PaddingRight(2)
	rows := table.New().Border(lipgloss.Border{}).BorderTop(false).BorderBottom(false).
		BorderLeft(false).BorderRight(false).BorderHeader(false).BorderColumn(false).Wrap(false).
		StyleFunc(func(int, int) lipgloss.Style { return padded }).
		Headers("CONTAINER", "ID", "POLICY", "SINCE", "ALLOWED", "REFUSED", "LAST REFUSAL")
	for _, c := range s.Containers {
		rows.Row(row(c)...)
	}
	if width > 0 {
		rows.Width(width)
	}
	var text strings.Builder
	for line := range strings.Lines(rows.Render() + "\n") {
		text.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if unprotected := s.Agent.Unprotected; unprotected > 0 {
		fmt.Fprintf(&text, "%d sessions would lose their ports at a restart of the agent: "+
			"see docs/operate.md\n", unprotected)
	}
	return text.String() + rulesText(s.Agent.Settings)
}

// rulesText says which of the administrator's rules are in force, if there are any, or should be.
func rulesText(s control.Settings) string {
	switch {
	case s.Problem != "":
		return fmt.Sprintf("Rules in force: %d, read %s ago. Since then the file is wrong: %s\n",
			s.Rules, age(s.Read), inquiry.Printable(s.Problem))
	case s.Rules > 0:
		return fmt.Sprintf("Rules in force: %d of %s, read %s ago (port-restricter config "+
			"--running)\n", s.Rules, inquiry.Printable(s.File), age(s.Read))
	}
	return ""
}

func row(c agent.Container) []string {
	refused := fmt.Sprint(c.Denied)
	if c.Audited > 0 {
		refused += fmt.Sprintf(" (%d in audit mode)", c.Audited)
	}
	last := ""
	if len(c.Refusals) > 0 {
		last = refusalText(c.Refusals[0])
	}
	if c.Problem != "" {
		last = "everything is refused: " + inquiry.Printable(c.Problem)
	}
	return []string{
		cmp.Or(inquiry.Printable(control.FullName(c)), "-"),
		inquiry.Printable(c.ID[:min(len(c.ID), idLength)]), inquiry.Printable(c.Policy),
		age(c.Since), fmt.Sprint(c.Allowed), refused, last,
	}
}

// refusalText says who was refused what, when and why.
func refusalText(r agent.Refusals) string {
	e := r.First
	text := age(r.Last) + " ago: " + inquiry.Printable(cmp.Or(e.Program, "?"))
	text += " " + inquiry.Printable(string(e.Operation))
	if e.Address != "" {
		text += fmt.Sprintf(" %d/%s", e.Port, inquiry.Printable(string(e.Protocol)))
	}
	if r.Count > 1 {
		text += fmt.Sprintf(" (%d times)", r.Count)
	}
	return text + ": " + inquiry.Printable(e.Reason)
}

// age says how long ago something was.
func age(t time.Time) string {
	d := time.Since(t)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// describe returns all that is known of a container.
func describe(d control.Details) string {
	var text strings.Builder
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-14s %s\n", what+":", inquiry.Printable(value))
		}
	}
	line("Container", d.ID)
	line("Name", control.FullName(d.Container))
	line("Bundle", d.Bundle)
	line("Since", d.Since.Format(time.RFC3339)+" ("+age(d.Since)+")")
	line("Processes", strings.Trim(fmt.Sprint(d.PIDs), "[]"))
	line("Policy", d.Policy)
	line("Problem", d.Problem)
	for _, key := range slices.Sorted(maps.Keys(d.Annotations)) {
		line("Annotation", key+"="+d.Annotations[key])
	}
	line("Metadata", d.Metadata)
	line("Allowed", fmt.Sprint(d.Allowed))
	line("Refused", fmt.Sprint(d.Denied))
	line("Only audited", fmt.Sprint(d.Audited))
	survives := "its ports survive a restart of the agent"
	if d.Unprotected {
		survives = "it would lose its ports at a restart of the agent: see docs/operate.md"
	}
	line("Restart", survives)
	for _, s := range d.Listening.Sockets {
		line("Listens", fmt.Sprintf("%s/%s: %s (process %d)",
			netip.AddrPortFrom(s.Address, s.Port), s.Protocol, s.Program, s.PID))
	}
	for _, why := range d.Listening.Incomplete {
		line("Listens?", why)
	}
	for _, r := range d.Refusals {
		line("Refusal", refusalText(r))
	}
	return text.String()
}
