package podevents

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

const (
	// messageLimit bounds a message in bytes, as Kubernetes bounds a note: 1 kB.
	messageLimit = 1000
	// wordLimit bounds a text that a container has chosen.
	wordLimit = 64
)

// message returns the text of an event. It has no number that changes from refusal to refusal, so
// that Kubernetes counts the same ones. A container chooses the name of its program.
func message(e agent.Event, container string) string {
	program := cut(inquiry.Printable(cmp.Or(e.Program, e.Exe, "a program")), wordLimit)
	verdict := "was refused"
	if e.Decision == "audit" {
		verdict = "would have been refused"
	}
	return cut(fmt.Sprintf("container %s: %s %s a %s: %s", container, program, verdict, e.Operation,
		inquiry.Printable(e.Reason)), messageLimit)
}

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len("…")], "") + "…"
}
