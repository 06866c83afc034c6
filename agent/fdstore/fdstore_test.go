package fdstore

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What systemd itself does with the messages is shown in test/survive.
func TestTheManagerGetsTheFDWithItsName(t *testing.T) {
	path := t.TempDir() + "/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("FDSTORE", "7")
	m, err := Connect()
	require.NoError(t, err)
	require.Equal(t, 7, m.Room())
	receive := func() (string, []byte) {
		text, rights := make([]byte, 100), make([]byte, 100)
		n, length, _, _, err := conn.ReadMsgUnix(text, rights)
		require.NoError(t, err)
		return string(text[:n]), rights[:length]
	}

	file, err := os.Open("fdstore.go")
	require.NoError(t, err)
	defer file.Close()
	require.NoError(t, m.Keep("a1", int(file.Fd())))
	text, rights := receive()
	require.Equal(t, "FDSTORE=1\nFDNAME=a1", text)
	messages, err := unix.ParseSocketControlMessage(rights)
	require.NoError(t, err)
	fds, err := unix.ParseUnixRights(&messages[0])
	require.NoError(t, err)
	got := os.NewFile(uintptr(fds[0]), "got")
	defer got.Close()
	sent, err := file.Stat()
	require.NoError(t, err)
	came, err := got.Stat()
	require.NoError(t, err)
	require.True(t, os.SameFile(sent, came))

	require.NoError(t, m.Drop("a1"))
	text, _ = receive()
	require.Equal(t, "FDSTOREREMOVE=1\nFDNAME=a1", text)
	conn.Close()
	require.ErrorContains(t, m.Notify("READY=1"), `tell the service manager "READY=1"`)
}

func TestWithoutAManagerNothingIsSaid(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m, err := Connect()
	require.NoError(t, err)
	require.Zero(t, m.Room())
	require.Equal(t, -1, m.FD())
	require.NoError(t, m.Notify("READY=1"))
	all, err := Inherited()
	require.NoError(t, err)
	require.Empty(t, all)

	t.Setenv("NOTIFY_SOCKET", "/nowhere")
	_, err = Connect()
	require.ErrorContains(t, err, "connect to the service manager at /nowhere")
}
