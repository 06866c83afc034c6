package agent

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// begun returns a session whose predecessor ended while it bound a socket to asked, and the
// answers of the session.
func begun(t *testing.T, ports string, socket int, asked []byte) (*session, *fakeNotifier) {
	t.Helper()
	s, kernel := newFakeSession(t, ports, &fakeTarget{
		memory: asked,
		onSocket: func() (int, error) {
			return unix.FcntlInt(uintptr(socket), unix.F_DUPFD_CLOEXEC, 0)
		},
	})
	cookie, err := cookieOf(socket)
	require.NoError(t, err)
	s.orphans.remember(cookie, orphan{asked: string(asked), begun: true})
	return s, kernel
}

func newSocket(t *testing.T, domain, typ, protocol int) int {
	t.Helper()
	fd, err := unix.Socket(domain, typ|unix.SOCK_CLOEXEC, protocol)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// answersTo binds, listens, and binds again, and returns the answers.
func answersTo(s *session, kernel *fakeNotifier, length int) (errnos []unix.Errno) {
	space := &workspace{neutral: true}
	s.handle(bindNotification(1, length), space)
	s.handle(listenNotification(2), space)
	s.handle(bindNotification(3, length), space)
	for _, answer := range kernel.answers {
		errnos = append(errnos, unix.Errno(-answer.Error))
	}
	return errnos
}

// A bind that a predecessor had begun is answered by 0 if it was made. Whether it was, the
// socket says. A later bind is the target's own.
func TestABegunBindIsClaimedOnlyIfItWasMade(t *testing.T) {
	port := freePort(t, unix.SOCK_STREAM)
	asked := ipv4(unix.AF_INET, port, 127, 0, 0, 1)
	at := &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}
	ports := fmt.Sprint(port)

	t.Run("made", func(t *testing.T) {
		socket := newSocket(t, unix.AF_INET, unix.SOCK_STREAM, 0)
		require.NoError(t, unix.Bind(socket, at))
		s, kernel := begun(t, ports, socket, asked)
		require.Equal(t, []unix.Errno{0, 0, unix.EINVAL}, answersTo(s, kernel, 16))
	})
	t.Run("not made", func(t *testing.T) {
		socket := newSocket(t, unix.AF_INET, unix.SOCK_STREAM, 0)
		s, kernel := begun(t, ports, socket, asked)
		require.Equal(t, []unix.Errno{0, 0, unix.EINVAL}, answersTo(s, kernel, 16))
	})
	t.Run("the port is in use by another socket", func(t *testing.T) {
		other := newSocket(t, unix.AF_INET, unix.SOCK_STREAM, 0)
		require.NoError(t, unix.Bind(other, at))
		require.NoError(t, unix.Listen(other, 1))
		socket := newSocket(t, unix.AF_INET, unix.SOCK_STREAM, 0)
		s, kernel := begun(t, ports, socket, asked)
		require.Equal(t, []unix.Errno{unix.EADDRINUSE, unix.EPERM, unix.EADDRINUSE},
			answersTo(s, kernel, 16))
	})
	t.Run("bound to another address before", func(t *testing.T) {
		socket := newSocket(t, unix.AF_INET, unix.SOCK_STREAM, 0)
		require.NoError(t, unix.Bind(socket, &unix.SockaddrInet4{Port: int(port)}))
		s, kernel := begun(t, ports, socket, asked)
		require.Equal(t, []unix.Errno{unix.EINVAL, unix.EPERM, unix.EINVAL},
			answersTo(s, kernel, 16))
	})
}

// connected returns a TCP socket with a connection, and its address, which the kernel picked.
func connected(t *testing.T) (socket int, at netip.AddrPort) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	socket = newSocket(t, unix.AF_INET, unix.SOCK_STREAM, 0)
	to := netip.MustParseAddrPort(listener.Addr().String())
	require.NoError(t, unix.Connect(socket,
		&unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
	at, err = localAddress(socket)
	require.NoError(t, err)
	return socket, at
}

// A port that the kernel picked for a connection can be the one that was asked for, and is
// given up when the connection ends. The bind is answered by 0, but to listen is refused.
func TestABegunBindOfAConnectedSocketHoldsNoPort(t *testing.T) {
	socket, at := connected(t)
	s, kernel := begun(t, fmt.Sprint(at.Port()), socket,
		ipv4(unix.AF_INET, at.Port(), 127, 0, 0, 1))
	require.Equal(t, []unix.Errno{0, unix.EPERM, unix.EINVAL}, answersTo(s, kernel, 16))
}

// The same for the address that the kernel picked.
func TestABegunBindOfAConnectedSocketHoldsNoAddress(t *testing.T) {
	socket, _ := connected(t)
	s, kernel := begun(t, "127.0.0.1:0", socket, ipv4(unix.AF_INET, 0, 127, 0, 0, 1))
	require.Equal(t, []unix.Errno{0, unix.EPERM, unix.EINVAL}, answersTo(s, kernel, 16))
}

func TestABegunBindToPortZeroIsClaimed(t *testing.T) {
	socket := newSocket(t, unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	s, kernel := begun(t, "127.0.0.1:0", socket, ipv4(unix.AF_INET, 0, 127, 0, 0, 1))
	require.Equal(t, []unix.Errno{0, 0, unix.EINVAL}, answersTo(s, kernel, 16))
}

// Once the connection is over, getsockname(2) still shows the port, and listen(2) would pick
// another one.
func TestASocketThatWasDisconnectedHoldsNoPort(t *testing.T) {
	socket, at := connected(t)
	unspec := make([]byte, 16)
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(socket),
		uintptr(unsafe.Pointer(unsafe.SliceData(unspec))), uintptr(len(unspec)))
	require.Zero(t, errno)
	shown, err := localAddress(socket)
	require.NoError(t, err)
	require.Equal(t, netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port()), shown)
	a := attempt{socket: socket, wanted: ipv4(unix.AF_INET, at.Port(), 0, 0, 0, 0)}
	a.kind, err = kindOf(socket)
	require.NoError(t, err)
	a.wasMade(orphan{begun: true})
	require.False(t, a.taken)
}

// MPTCP gives the cookie of a listener to the sockets that accept(2) returns.
func TestAnotherSocketDoesNotClaimABegunBind(t *testing.T) {
	port := freePort(t, unix.SOCK_STREAM)
	socket := newSocket(t, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	at := &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}
	require.NoError(t, unix.Bind(socket, at))
	asked := ipv4(unix.AF_INET, port, 127, 0, 0, 1)
	s, kernel := begun(t, fmt.Sprint(port), socket, asked)
	cookie, err := cookieOf(socket)
	require.NoError(t, err)
	s.orphans.remember(cookie, orphan{asked: string(asked), begun: true, inode: 1})
	require.Equal(t, unix.EINVAL, answersTo(s, kernel, 16)[0])
}

func TestABegunBindToAPathIsClaimedOnlyIfItWasMade(t *testing.T) {
	for name, c := range map[string]struct {
		asked       string // or "socket"
		made, other string
		helper      error // what bind(2) returns now
		answer      unix.Errno
	}{
		"made": {made: "socket", helper: unix.EADDRINUSE, answer: 0},
		// A helper has made it, with another path to the same place.
		"made from an fd": {
			asked: "/proc/self/fd/7/socket", made: "socket", helper: unix.EINVAL, answer: 0,
		},
		"made from the working directory": {
			asked: "/proc/thread-self/cwd/socket", made: "socket",
			helper: unix.EADDRINUSE, answer: 0,
		},
		"another one from an fd": {
			asked: "/proc/self/fd/7/x", made: "socket", helper: unix.EINVAL, answer: unix.EINVAL,
		},
		"another file is there": {
			other: "socket", helper: unix.EADDRINUSE, answer: unix.EADDRINUSE,
		},
		"bound to another path":     {made: "x", helper: unix.EINVAL, answer: unix.EINVAL},
		"bound to an abstract name": {made: "@x", helper: unix.EINVAL, answer: unix.EINVAL},
		"not made":                  {answer: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			socket := newSocket(t, unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if c.made != "" {
				require.NoError(t, unix.Bind(socket, &unix.SockaddrUnix{Name: c.made}))
			}
			if c.other != "" {
				other := newSocket(t, unix.AF_UNIX, unix.SOCK_STREAM, 0)
				require.NoError(t, unix.Bind(other, &unix.SockaddrUnix{Name: c.other}))
			}
			asked := []byte("\x01\x00" + cmp.Or(c.asked, "socket") + "\x00")
			s, kernel := begun(t, "0", socket, asked)
			fake, err := s.open(nil, 0)
			require.NoError(t, err)
			fake.(*fakeTarget).helperErr = c.helper
			s.handle(bindNotification(1, len(asked)), &workspace{neutral: true})
			require.Equal(t, c.answer, unix.Errno(-kernel.answers[0].Error))
		})
	}
}
