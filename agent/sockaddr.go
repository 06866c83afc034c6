package agent

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// parseAddress returns the address and the port in a sockaddr, read as the kernel
// reads them for a socket of this kind. The error is the errno that every protocol
// returns for such a sockaddr.
func (k socketKind) parseAddress(sockaddr []byte) (netip.AddrPort, error) {
	if len(sockaddr) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}, unix.EINVAL
	}
	family, port := int(binary.NativeEndian.Uint16(sockaddr)), binary.BigEndian.Uint16(sockaddr[2:])
	v4 := netip.AddrPortFrom(netip.AddrFrom4([4]byte(sockaddr[4:8])), port)
	switch {
	case k.domain == unix.AF_INET:
		// bind(2) accepts AF_UNSPEC as AF_INET, ip(7), and refuses other families.
		return v4, nil
	case k.domain == familySMC && family != unix.AF_INET6:
		return v4, nil
	case k.protocol == unix.IPPROTO_SCTP && family == unix.AF_INET:
		return v4, nil // only SCTP accepts IPv4 addresses on IPv6 sockets
	case len(sockaddr) < 24: // SIN6_LEN_RFC2133, without a scope id
		return netip.AddrPort{}, unix.EINVAL
	case family != unix.AF_INET6:
		// Not left to the kernel: another thread can make an IPv4 socket of it
		// (IPV6_ADDRFORM), for which the address is at another offset.
		return netip.AddrPort{}, unix.EAFNOSUPPORT
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(sockaddr[8:24])).Unmap(), port), nil
}

// setPort replaces the port in a sockaddr of IPv4 or IPv6.
func setPort(sockaddr []byte, port uint16) { binary.BigEndian.PutUint16(sockaddr[2:], port) }

// localAddress returns the address that an internet socket is bound to, with port
// 0 if it is not bound.
func localAddress(socket int) (netip.AddrPort, error) {
	name, err := socketName(socket)
	if err != nil {
		return netip.AddrPort{}, err
	}
	family := binary.NativeEndian.Uint16(name)
	at, err := socketKind{domain: int(family)}.parseAddress(name)
	if err != nil {
		return at, fmt.Errorf("ask where the socket is bound: family %d, not an internet address",
			family)
	}
	return at, nil
}

// socketName returns the sockaddr that a socket is bound to, of 2 bytes at least.
//
// Not unix.Getsockname, of which the Go scheduler does not know: the kernel waits
// for the socket's lock, which the target can hold for ever.
func socketName(socket int) ([]byte, error) {
	var name [maxSockaddr]byte
	size := uint32(len(name))
	_, _, errno := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(socket),
		uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return nil, errno
	}
	return name[:max(2, min(size, maxSockaddr))], nil
}
