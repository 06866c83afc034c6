package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// eventFile returns a file with events of two replicas of web, and of db.
func eventFile(t *testing.T, more ...string) string {
	t.Helper()
	var text strings.Builder
	for _, e := range []agent.Event{
		{Container: "1", Name: "web", Pod: "web-1", Port: 80, Decision: "allow"},
		{Container: "2", Name: "web", Pod: "web-2", Port: 81, Decision: "audit"},
		{Container: "3", Name: "db", Pod: "db-1", Port: 82, Decision: "deny"},
	} {
		e.Operation, e.Protocol, e.Address = "bind", "tcp", "0.0.0.0"
		line, err := json.Marshal(e)
		require.NoError(t, err)
		text.WriteString(string(line) + "\n")
	}
	name := filepath.Join(t.TempDir(), "events")
	content := text.String() + strings.Join(more, "\n")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
	return name
}

func TestReplicasInAFileAreLearnedAsOne(t *testing.T) {
	events := eventFile(t)
	status, output := call("learn", "--format", "flags", "--from", events)
	require.Zero(t, status, output)
	require.Contains(t, output, "port-restricter -p 0.0.0.0:82/tcp -- CMD\n\n# web (2 containers")
	require.Contains(t, output, "port-restricter -p 0.0.0.0:80/tcp,0.0.0.0:81/tcp -- CMD")
	require.NotContains(t, output, "annotation")
	for _, name := range []string{"db", "3"} {
		status, output = call("learn", "--format", "pod", "--from", events, "--container", name)
		require.Zero(t, status, output)
		require.Contains(t, output, `port-restricter.port/db: "0.0.0.0:82/tcp"`)
		require.NotContains(t, output, "web")
	}
	status, output = call("learn", "--from", events, "--container", "d\x1bb")
	require.Equal(t, cli.StatusFailure, status)
	require.Contains(t, output, `has no event of a container with the name or id "d\x1bb"`)
}

// What can be learned is printed, but the call fails.
func TestAFileWithRubbishFails(t *testing.T) {
	events := eventFile(t, "\x1b]0;evil\a", `{"operation":"\u001b[31m","decision":"deny",`+
		`"address":"::","protocol":"tcp"}`, "", strings.Repeat("z", 10<<20))
	status, output := call("learn", "--from", events)
	require.Equal(t, cli.StatusFailure, status)
	require.Contains(t, output, "events, line 4: it is no event: invalid character")
	require.Contains(t, output, `events, line 5: operation "\x1b[31m" is not known`)
	require.Contains(t, output, "events, line 7: it has more than 65536 bytes")
	require.Contains(t, output, "3 lines are no events")
	require.Contains(t, output, "-p 0.0.0.0:82/tcp -- CMD")
	require.NotContains(t, output, "\x1b")
}

// Events that wait when the command ends are learned from, and those that were lost are told.
func TestLiveLearningIsWholeOrFails(t *testing.T) {
	const many = 1000
	events := make(chan agent.Event, many)
	learner := newLiveLearner(events)
	for port := range uint16(many) {
		events <- agent.Event{
			Operation: "bind", Protocol: "udp", Address: "::1", Port: 1 + port, Decision: "audit",
		}
	}
	require.NoError(t, learner.stop(0))
	texts, err := learner.Groups()[0].Texts()
	require.NoError(t, err)
	require.Equal(t, many-1, strings.Count(texts.Ports, ","))

	learner = newLiveLearner(events)
	require.ErrorContains(t, learner.stop(3), "3 calls came too fast to learn from them")
	learner = newLiveLearner(events)
	events <- agent.Event{Operation: "bind", Protocol: "quic", Decision: "audit"}
	require.ErrorContains(t, learner.stop(0), `learn from a call: protocol "quic" is not known`)
}
