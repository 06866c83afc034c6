package systemd

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnActivatedServiceServesTheSocketsOfSystemd(t *testing.T) {
	u := recipe(t, "activated.service")
	socket := recipe(t, "activated.socket")
	socket.start()
	require.Equal(t, "inactive", u.property("ActiveState"))
	sockets := map[string]string{
		"tcp": port, "tcp6": "[::1]:5000", "udp": port, "unix": path("/run/activated.sock"),
	}
	for network, address := range sockets {
		require.Equal(t, "3", ask(t, network, address, "env LISTEN_FDS"), network)
		require.Equal(t, "EPERM", ask(t, network, address, "bind 5001"), network)
	}
	require.Equal(t, "active", u.property("ActiveState"))
	// TCP and AF_UNIX; a UDP socket does not listen.
	require.Equal(t, "listening listening", ask(t, "tcp", port, "listen"))

	run(t, "systemctl", "restart", u.name)
	require.Equal(t, "3", ask(t, "tcp", port, "env LISTEN_FDS"))
}

func TestAnActivatedServiceMayListenAgainOnItsPortOnly(t *testing.T) {
	recipe(t, "activated.service")
	socket := install(t, "activated.socket", "[Socket]\nListenStream=5001\n")
	socket.start()
	require.Equal(t, "EPERM", ask(t, "tcp", "127.0.0.1:5001", "listen"))
}

func TestAnActivatedServiceCanBeOneForEachConnection(t *testing.T) {
	recipe(t, "each@.service")
	recipe(t, "each.socket").start()
	for range 2 {
		require.Equal(t, "1", ask(t, "tcp", port, "env LISTEN_FDS"))
		require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5001"))
	}
}
