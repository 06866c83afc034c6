package agent

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// listenNotification is the notification of a listen.
func listenNotification(id uint64) *notification {
	return &notification{
		ID: id, PID: 42, Arch: unix.AUDIT_ARCH_X86_64, NR: 50, Args: [6]uint64{3, 1},
	}
}

// listenWith returns the answer of a session to listen(2) on a socket. The policy allows
// the given ports.
func listenWith(t *testing.T, ports string, socket int, prepare func(*session)) unix.Errno {
	t.Helper()
	s, kernel := newFakeSession(t, ports, &fakeTarget{onSocket: func() (int, error) {
		return unix.FcntlInt(uintptr(socket), unix.F_DUPFD_CLOEXEC, 0)
	}})
	if prepare != nil {
		prepare(s)
	}
	s.handle(listenNotification(1), &workspace{neutral: true})
	return unix.Errno(-kernel.answers[0].Error)
}

func fdOf(t *testing.T, conn any) int {
	t.Helper()
	file, err := conn.(interface{ File() (*os.File, error) }).File()
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	return int(file.Fd())
}

// An accepted socket has the port of its listener, and a connected one the port that the
// kernel picked, but neither holds it: a disconnect by another thread, between the look
// at the port and listen(2), makes the kernel pick another port at every address. So
// both are refused, even if the policy allows the port that they have at the moment.
func TestListenNeedsAPortThatTheSocketWasBoundTo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	accepted, err := listener.Accept()
	require.NoError(t, err)
	defer accepted.Close()

	for name, conn := range map[string]net.Conn{"accepted": accepted, "connected": client} {
		port := conn.LocalAddr().(*net.TCPAddr).Port
		socket := fdOf(t, conn)
		require.Equal(t, unix.EPERM, listenWith(t, fmt.Sprint(port), socket, nil), name)
		require.Equal(t, unix.EINVAL, listenWith(t, "0", socket, nil),
			"%s: allowed, and refused by the kernel itself", name)
	}
}

// The port of a socket that the supervisor bound can't be dissolved.
func TestListenIsDecidedByTheAddressOfTheBind(t *testing.T) {
	port := freePort(t, unix.SOCK_STREAM)
	for name, c := range map[string]struct {
		asked   []byte
		allowed bool
	}{
		"bound by the supervisor":          {ipv4(unix.AF_INET, port, 127, 0, 0, 1), true},
		"bound to a port that was picked":  {ipv4(unix.AF_INET, 0, 127, 0, 0, 1), false},
		"not bound, since it is forbidden": {ipv4(unix.AF_INET, port+1, 127, 0, 0, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &fakeTarget{
				memory: c.asked, onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM),
			}
			s, kernel := newFakeSession(t, fmt.Sprintf("%d,0/udp", port), fake)
			s.handle(bindNotification(1, 16), &workspace{neutral: true})
			s.handle(listenNotification(2), &workspace{neutral: true})
			require.Equal(t, c.allowed, kernel.answers[1].Error == 0)
			s.handle(listenNotification(3), &workspace{neutral: true})
			require.Equal(t, kernel.answers[1].Error, kernel.answers[2].Error, "once more")
		})
	}
}

// The address of a bind to port 0 stays, so a rule for one address is enough, and not
// enough for every address.
func TestListenOnAPickedPortIsDecidedByTheAddressOfTheBind(t *testing.T) {
	for address, allowed := range map[byte]bool{127: true, 0: false} {
		fake := &fakeTarget{onSocket: socketOf(t, unix.AF_INET, unix.SOCK_STREAM)}
		fake.memory = ipv4(unix.AF_INET, 0, address, 0, 0, address&1)
		s, kernel := newFakeSession(t, "127.0.0.1:0", fake)
		s.handle(bindNotification(1, 16), &workspace{neutral: true})
		s.handle(listenNotification(2), &workspace{neutral: true})
		require.Equal(t, allowed, kernel.answers[1].Error == 0)
	}
}

// listenOnNamedPort returns a TCP listener on a port that the kernel does not pick. Go
// listens by MPTCP unless told otherwise.
func listenOnNamedPort(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	for port := 20000; port < 30000; port++ {
		listener, err := config.Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			t.Cleanup(func() { listener.Close() })
			return listener
		}
	}
	require.Fail(t, "no port is free")
	return nil
}

// MPTCP gives the cookie of a listener to the sockets that accept(2) returns. They must
// not count as bound where the listener is.
func TestAnAcceptedMPTCPSocketIsNotItsListener(t *testing.T) {
	port := freePort(t, unix.SOCK_STREAM)
	mptcp := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	listener, client := mptcp(), mptcp()
	socket := listener
	fake := &fakeTarget{
		memory: ipv4(unix.AF_INET, port, 127, 0, 0, 1),
		onSocket: func() (int, error) {
			return unix.FcntlInt(uintptr(socket), unix.F_DUPFD_CLOEXEC, 0)
		},
	}
	s, kernel := newFakeSession(t, fmt.Sprint(port), fake)
	last := func() unix.Errno { return unix.Errno(-kernel.answers[len(kernel.answers)-1].Error) }

	// The first caller is called away: its bind becomes an orphan.
	s.notifier = &withdrawOnRespond{fakeNotifier: kernel, id: 1}
	s.handle(bindNotification(1, 16), &workspace{neutral: true})
	s.handle(listenNotification(2), &workspace{neutral: true})
	require.Zero(t, last())
	at := &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}
	require.NoError(t, unix.Connect(client, at))
	accepted, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(accepted)

	socket = accepted
	s.handle(listenNotification(3), &workspace{neutral: true})
	require.Equal(t, unix.EPERM, last())
	s.handle(bindNotification(4, 16), &workspace{neutral: true}) // it may claim the orphan
	s.handle(listenNotification(5), &workspace{neutral: true})
	require.Equal(t, unix.EPERM, last())
}

// A command that is started with a listener (socket activation) may go on listening by
// it, at a port that the policy allows.
func TestListenOnAnInheritedSocketIsDecidedByItsPort(t *testing.T) {
	picked, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer picked.Close()
	socket, port := fdOf(t, picked), picked.Addr().(*net.TCPAddr).Port
	require.Equal(t, unix.EPERM, listenWith(t, fmt.Sprint(port), socket, func(s *session) {
		s.container.bound.rememberInherited(socket)
	}), "shutdown(2) would dissolve the port that the kernel picked")

	listener := listenOnNamedPort(t)
	socket, port = fdOf(t, listener), listener.Addr().(*net.TCPAddr).Port
	inherit := func(s *session) { s.container.bound.rememberInherited(socket) }
	require.Zero(t, listenWith(t, fmt.Sprint(port), socket, inherit))
	require.Equal(t, unix.EPERM, listenWith(t, fmt.Sprint(port+1), socket, inherit))
	require.Equal(t, unix.EPERM, listenWith(t, fmt.Sprint(port), socket, nil), "not inherited")

	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	socket, port = fdOf(t, client), client.LocalAddr().(*net.TCPAddr).Port
	require.Equal(t, unix.EPERM, listenWith(t, fmt.Sprint(port), socket, inherit),
		"a connected socket does not hold its port")

	// A server of the inetd kind hands accepted sockets on, and the client may have gone.
	var dialer net.Dialer
	dialer.SetMultipathTCP(false) // its reset would be another one
	client, err = dialer.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	first, err := listener.Accept()
	require.NoError(t, err)
	defer first.Close()
	accepted, err := listener.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	require.NoError(t, client.(*net.TCPConn).SetLinger(0))
	require.NoError(t, client.Close()) // a reset
	socket, port = fdOf(t, accepted), accepted.LocalAddr().(*net.TCPAddr).Port
	require.Eventually(t, func() bool {
		info, err := unix.GetsockoptTCPInfo(socket, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err == nil && info.State == unix.BPF_TCP_CLOSE
	}, time.Minute, time.Millisecond)
	require.Equal(t, unix.EPERM, listenWith(t, fmt.Sprint(port), socket, inherit),
		"a reset connection does not hold its port")
}

// The decision about a socket at the unspecified address of IPv6 depends on IPV6_V6ONLY.
func TestListenOnADualStackSocketNeedsBothFamilies(t *testing.T) {
	for only, answer := range map[int]unix.Errno{0: unix.EPERM, 1: 0} {
		socket, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(socket)
		require.NoError(t, unix.SetsockoptInt(socket, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only))
		id, err := idOf(socket, socketKind{domain: unix.AF_INET6, protocol: unix.IPPROTO_TCP})
		require.NoError(t, err)
		at := netip.AddrPortFrom(netip.IPv6Unspecified(), 5000) // so it was bound
		require.Equal(t, answer, listenWith(t, "[::]:5000", socket, func(s *session) {
			s.container.bound.remember(id, at)
		}))
	}
}

// Between the check of IPV6_V6ONLY and the bind another thread can clear the option. A
// UDP socket receives from then on, so it must be refused and muted.
func TestADualStackSocketInTheLastMomentIsMuted(t *testing.T) {
	port := freePort(t, unix.SOCK_DGRAM)
	socket, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(socket)
	require.NoError(t, unix.SetsockoptInt(socket, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
	s, _ := newFakeSession(t, fmt.Sprintf("[::]:%d", port), nil)
	a := &attempt{session: s, socket: socket, kind: socketKind{domain: unix.AF_INET6}}

	require.NoError(t, unix.Bind(socket, &unix.SockaddrInet6{Port: int(port)}))
	at, err := localAddress(socket)
	require.NoError(t, err)
	require.NoError(t, a.checkFamilies(config.UDP, at), "IPV6_V6ONLY is set")

	dual, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(dual)
	require.NoError(t, unix.Close(socket))
	require.NoError(t, unix.SetsockoptInt(dual, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0))
	require.NoError(t, unix.Bind(dual, &unix.SockaddrInet6{Port: int(port)}))
	a.socket = dual
	require.Equal(t, errDenied, a.checkFamilies(config.UDP, at))
	client, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	defer client.Close()
	_, _ = client.Write([]byte("x"))
	ready := []unix.PollFd{{Fd: int32(dual), Events: unix.POLLIN}}
	n, err := unix.Poll(ready, 100)
	require.NoError(t, err)
	require.Zero(t, n, "it received a datagram")
}
