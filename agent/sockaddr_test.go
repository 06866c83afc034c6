package agent

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/internal/rerun"
)

// The policy is asked about the port that the kernel binds.
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

// SCTP alone accepts an IPv4 address on an IPv6 socket. The policy must not look for
// the address where an IPv6 sockaddr has it.
func TestSCTPTakesAnIPv4AddressOnAnIPv6Socket(t *testing.T) {
	sockaddr := append(ipv4(unix.AF_INET, 5000, 0, 0, 0, 0), make([]byte, 12)...)
	copy(sockaddr[8:], netip.MustParseAddr("::ffff:127.0.0.1").AsSlice())
	sctp := socketKind{domain: unix.AF_INET6, protocol: unix.IPPROTO_SCTP}
	at, err := sctp.parseAddress(sockaddr)
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:5000", at.String())
	tcp := socketKind{domain: unix.AF_INET6, protocol: unix.IPPROTO_TCP}
	_, err = tcp.parseAddress(sockaddr)
	require.Equal(t, unix.EAFNOSUPPORT, err)
}

// A thread that sends from a page that is never filled holds its socket's lock all
// that time. A worker that asks for the socket's address then waits for the lock.
// The Go scheduler must know that the worker waits. Otherwise the next garbage
// collection, which stops all threads, waits for the worker.
func TestASocketsLockHoldsUpNobodyElse(t *testing.T) {
	if !rerun.InProcess(t, 0) {
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	file, err := conn.(*net.TCPConn).File()
	require.NoError(t, err)
	socket := int(file.Fd())
	go func() { _, _ = unix.Write(socket, missingPage(t)) }()
	done := make(chan struct{})
	require.Eventually(t, func() bool { // until the writing thread has the lock
		go func() {
			_, _ = localAddress(socket)
			close(done)
		}()
		select {
		case <-done:
			done = make(chan struct{})
			return false
		case <-time.After(100 * time.Millisecond):
			return true
		}
	}, time.Minute, time.Millisecond)
	kind, err := kindOf(socket)
	require.NoError(t, err)
	require.Equal(t, socketKind{unix.AF_INET, unix.IPPROTO_TCP}, kind)
	runtime.GC()
	select {
	case <-done:
		require.Fail(t, "the lock was not held")
	default:
	}
}

// missingPage returns a page of memory that nobody ever fills: every thread that
// reads it waits for ever, userfaultfd(2).
func missingPage(t *testing.T) []byte {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	require.Zero(t, errno)
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	// linux/userfaultfd.h
	const ioctlAPI, ioctlRegister, version, missing = 0xc018aa3f, 0xc020aa00, 0xaa, 1
	api := struct{ version, features, ioctls uint64 }{version: version}
	require.NoError(t, ioctl(int(fd), ioctlAPI, unsafe.Pointer(&api)))
	pages := struct{ start, length, mode, ioctls uint64 }{
		uint64(uintptr(unsafe.Pointer(&page[0]))), uint64(len(page)), missing, 0,
	}
	require.NoError(t, ioctl(int(fd), ioctlRegister, unsafe.Pointer(&pages)))
	return page
}
