package learn

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func everything(*Event) bool { return true }

func lines(t *testing.T, events ...Event) string {
	t.Helper()
	var text strings.Builder
	for _, e := range events {
		line, err := json.Marshal(e)
		require.NoError(t, err)
		text.WriteString(string(line) + "\n")
	}
	return text.String()
}

func TestEventsAreReadAsTheyAreWritten(t *testing.T) {
	var l Learner
	text := lines(t, dual(bind("::", 80, "tcp")), rewritten(bind("::1", 81, "udp"), 82)) +
		"\n" + strings.TrimSpace(lines(t, bind("::1", 90, "tcp"))) // without an end of line
	bad, n, err := l.Read(strings.NewReader(text), everything)
	require.NoError(t, err)
	require.Zero(t, n, bad)
	texts, err := l.Groups()[0].Texts()
	require.NoError(t, err)
	require.Equal(t, "80/tcp,[::1]:82/udp,[::1]:90/tcp", texts.Ports)
}

// Lines that are no event are named, and all others count.
func TestRubbishIsNamed(t *testing.T) {
	rubbish := []string{
		`{"missed":7}`, `{`, `[]`, `nonsense`, `{}`, "\x00\x1b[31m", `{"operation":"bind"}`,
		`{"port":70000}`,
		`{"operation":"bind","decision":"allow","protocol":"tcp","address":"x","port":1}`,
		`{"operation":"bind","decision":"allow","protocol":"quic","address":"::","port":1}`,
		`{"operation":"steal","decision":"allow","protocol":"tcp","address":"::","port":1}`,
		`{"operation":"bind","decision":"allow","protocol":"tcp","address":"","port":1}`,
		strings.Repeat("x", longestLine+1), strings.Repeat("y", 10<<20),
	}
	good := strings.TrimSpace(lines(t, bind("::1", 80, "tcp")))
	text := good + "\n" + strings.Join(rubbish, "\n") + "\n" +
		strings.ReplaceAll(good, "80", "81")
	var l Learner
	bad, n, err := l.Read(strings.NewReader(text), everything)
	require.NoError(t, err)
	require.Equal(t, len(rubbish), n)
	require.Len(t, bad, few)
	require.Equal(t, 2, bad[0].Line)
	require.ErrorContains(t, bad[0].Err, "7 events are missing")
	texts, err := l.Groups()[0].Texts()
	require.NoError(t, err)
	require.Equal(t, "[::1]:80/tcp,[::1]:81/tcp", texts.Ports)
	_, n, err = new(Learner).Read(strings.NewReader(strings.Repeat("y", 1<<20)), everything)
	require.NoError(t, err)
	require.Equal(t, 1, n, "the last line")
}

// What is remembered is bounded, of whatever there is a lot.
func TestAFileCantTakeAllMemory(t *testing.T) {
	for name, line := range map[string]func(i int) Event{
		"ports": func(i int) Event {
			return bind(fmt.Sprintf("10.0.%d.1", i>>15), uint16(i%0x8000), "tcp")
		},
		"containers": func(i int) Event {
			e := bind("::1", 1, "tcp")
			e.Container = fmt.Sprint(i)
			return e
		},
		"pods": func(i int) Event {
			e := bind("::1", 1, "tcp")
			e.Name, e.Pod = "web", fmt.Sprint(i)
			return e
		},
		"maps": func(i int) Event {
			return rewritten(bind("::1", uint16(1+i%0x8000), "tcp"), uint16(1+i>>15))
		},
		"reasons": func(i int) Event {
			return Event{Container: "c", Operation: "bind", Decision: "deny", Reason: fmt.Sprint(i)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, w := io.Pipe()
			go func() {
				out := json.NewEncoder(w)
				for i := 1; out.Encode(line(i)) == nil; i++ {
				}
			}()
			defer r.Close()
			_, _, err := new(Learner).Read(r, everything)
			require.ErrorIs(t, err, ErrTooMuch)
		})
	}
	var l Learner
	for i := range 100 * few {
		e := bind("::1", 1, "tcp")
		e.Program, e.Errno = fmt.Sprint("program", i), fmt.Sprint("E", i)
		require.NoError(t, l.Add(e))
	}
	what := l.Groups()[0].needs[element{1, "tcp", netip.IPv6Loopback()}]
	require.LessOrEqual(t, len(what.programs), few+1)
	require.LessOrEqual(t, len(what.errnos), few+1)
}

func FuzzRead(f *testing.F) {
	f.Add(`{"operation":"bind","decision":"allow","protocol":"tcp","address":"::1","port":1}`)
	f.Add(`{"operation":"listen","decision":"deny","name":"a\u2028","reason":"\u001b"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var l Learner
		_, _, err := l.Read(strings.NewReader(text), everything)
		require.NoError(t, err)
		for _, g := range l.Groups() {
			_ = g.Write(io.Discard, Dialects, "")
		}
	})
}
