package control

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/listening"
)

// The rest of an answer does not wait for a look that hangs, nor for a look at another container.
func TestALookThatHangsHoldsUpNoAnswer(t *testing.T) {
	path, server := serve(t, &source{containers: []agent.Container{
		{ID: "a", PIDs: []int{7}, Homes: []int{6}}, {ID: "b"},
	}})
	server.lookLimit = 10 * time.Millisecond
	found := listening.Report{Sockets: []listening.Socket{
		{Protocol: "tcp", Address: netip.IPv6Unspecified(), Port: 80, Program: "web", PID: 8},
	}}
	hung, looks := make(chan struct{}), make(chan []listening.Root, 1)
	server.look = func(roots []listening.Root) listening.Report {
		select {
		case looks <- roots:
		default:
		}
		<-hung
		return found
	}
	ask := func(name string) listening.Report {
		details, err := NewClient(path).Container(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, name, details.ID)
		return details.Listening
	}
	require.Contains(t, ask("a").Incomplete[0], "takes too long")
	require.Equal(t, []listening.Root{{PID: 7, Home: 6}}, <-looks)
	require.Contains(t, ask("b").Incomplete[0], "still looks at the processes of another container")
	require.Empty(t, looks)
	close(hung)
	require.Eventually(t, func() bool {
		report := ask("b")
		return len(report.Sockets) == 1 && report.Sockets[0] == found.Sockets[0]
	}, time.Minute, 10*time.Millisecond)
}
