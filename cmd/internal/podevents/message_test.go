package podevents

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent"
)

func TestAMessageSaysWhatWasRefused(t *testing.T) {
	e := agent.Event{
		Operation: "bind", Program: "nginx", Decision: "deny", Reason: "it is not in the list",
	}
	require.Equal(t, "container web: nginx was refused a bind: it is not in the list",
		message(e, "web"))
	e.Decision, e.Program = "audit", ""
	require.Equal(
		t,
		"container web: a program would have been refused a bind: it is not in the list",
		message(e, "web"),
	)
}

// A container chooses the name of its program, and a part of the reason.
func TestAMessageIsShortAndPrintable(t *testing.T) {
	for _, chosen := range []string{"\x1b[31m\n", strings.Repeat("é", 4096), "\u202e\xff"} {
		text := message(agent.Event{Program: chosen, Reason: chosen}, "web")
		require.LessOrEqual(t, len(text), messageLimit)
		require.True(t, utf8.ValidString(text))
		require.NotContains(t, text, "\n")
		require.NotContains(t, text, "\x1b")
		require.NotContains(t, text, "\u202e")
	}
}
