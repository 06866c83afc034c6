package listening

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent/target"
)

// self returns this process as the root of a container.
func self() Root { return Root{os.Getpid(), target.Home(os.Getpid())} }

// of looks as a server does.
func of(roots ...Root) Report {
	done := make(chan Report)
	go func() { done <- Of(roots) }()
	return <-done
}

func TestEachKindOfSocketIsFound(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "[::1]:0")
	require.NoError(t, err)
	defer udp.Close()
	client, err := net.Dial("udp", udp.LocalAddr().String())
	require.NoError(t, err)
	defer client.Close()
	report := of(self())
	require.Empty(t, report.Incomplete)
	require.Len(t, report.Sockets, 2)
	for i, address := range []net.Addr{tcp.Addr(), udp.LocalAddr()} {
		s := report.Sockets[i]
		require.Equal(t, address.Network(), s.Protocol)
		require.Equal(t, address.String(), net.JoinHostPort(s.Address.String(), portOf(t, address)))
		require.Equal(t, os.Getpid(), s.PID)
		require.Equal(t, "listening.test", s.Program)
	}
}

func portOf(t *testing.T, address net.Addr) string {
	_, port, err := net.SplitHostPort(address.String())
	require.NoError(t, err)
	return port
}

// A number that another process has by now shows nothing of that process.
func TestAReusedNumberShowsNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	other := self()
	other.Home++
	require.Equal(t, Report{Sockets: []Socket{}}, of(other))
	require.Equal(t, Report{Sockets: []Socket{}}, of())
}

// What is not looked at is said.
func TestALookThatIsCutSaysSo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	all, err := processesOf([]Root{self()})
	require.NoError(t, err)
	cut := look{fds: 2}
	cut.join(all, cut.tables(all))
	require.Len(t, cut.Incomplete, 1)
	require.Contains(t, cut.Incomplete[0], "its processes have many fds")
	require.Zero(t, cut.fds)
}
