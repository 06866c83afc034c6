package agent

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// However odd the message, no fd stays behind and nothing panics.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"ociVersion":"1.0.2","fds":["seccompFd"],"pid":1,"state":{"id":"c","annotations":{"a":"b"}}}`), 1)
	f.Add([]byte(`{"fds":["a","seccompFd"]}{"fds":[]}`), 2)
	f.Add([]byte(`[{"fds":1}`), 0)
	f.Add([]byte(`{"fds":["seccompFd"],"fds":[]}`), 3)
	f.Fuzz(func(t *testing.T, message []byte, fds int) {
		ours, theirs := conversation(t)
		sent := pipes(t, min(max(fds, 0), 8))
		before := openFDs(t)
		if len(message) > 0 {
			_, _, err := theirs.WriteMsgUnix(message, unix.UnixRights(sent...), nil)
			require.NoError(t, err)
		}
		require.NoError(t, theirs.CloseWrite())
		state, fd, err := Receive(ours)
		if err == nil {
			require.Contains(t, state.Fds, "seccompFd")
			require.NoError(t, unix.Close(fd))
		} else {
			require.Equal(t, -1, fd)
		}
		require.Equal(t, before, openFDs(t))
	})
}

// The port that the policy is asked about is the one that the kernel binds.
func FuzzParseAddress(f *testing.F) {
	f.Add(unix.AF_INET, ipv4(unix.AF_INET, 5000, 127, 0, 0, 1))
	f.Add(unix.AF_INET, ipv4(unix.AF_UNSPEC, 0))
	f.Add(unix.AF_INET6, make([]byte, 28))
	f.Add(unix.AF_INET6, make([]byte, 23))
	f.Add(unix.AF_INET6, append(ipv4(unix.AF_INET, 5000, 0, 0, 0, 0), make([]byte, 12)...))
	f.Fuzz(func(t *testing.T, domain int, sockaddr []byte) {
		if domain != unix.AF_INET && domain != unix.AF_INET6 || len(sockaddr) > maxSockaddr {
			return
		}
		at, refused := socketKind{domain: domain}.parseAddress(sockaddr)
		fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		err = rawBind(fd, sockaddr)
		if refused != nil {
			require.Equal(t, refused, err)
			return
		}
		require.Equal(t, binary.BigEndian.Uint16(sockaddr[2:]), at.Port())
		if err != nil {
			return
		}
		bound, err := localAddress(fd)
		require.NoError(t, err)
		require.Equal(t, at.Addr(), bound.Addr())
		if at.Port() != 0 {
			require.Equal(t, at.Port(), bound.Port())
		}
	})
}

// An address that isn't where the policy looked for it.
func TestSCTPTakesAnIPv4AddressOnAnIPv6Socket(t *testing.T) {
	sockaddr := append(ipv4(unix.AF_INET, 5000, 0, 0, 0, 0), make([]byte, 12)...)
	copy(sockaddr[8:], netip.MustParseAddr("::ffff:127.0.0.1").AsSlice())
	at, err := socketKind{domain: unix.AF_INET6, protocol: unix.IPPROTO_SCTP}.parseAddress(sockaddr)
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:5000", at.String())
	_, err = socketKind{domain: unix.AF_INET6, protocol: unix.IPPROTO_TCP}.parseAddress(sockaddr)
	require.Equal(t, unix.EAFNOSUPPORT, err)
}
