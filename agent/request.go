package agent

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// Families that x/sys doesn't name and that bind internet ports all the same,
// and the protocols that have ports, linux/socket.h and linux/in.h.
const (
	familyRxRPC = 33 // binds a UDP port in the kernel
	familySMC   = 43 // binds the TCP port of its fallback socket

	protocolSMC = 256 // the same as an IPPROTO_, Linux 6.11
)

// A socketKind is what the kernel itself says of a socket: what is bound
// depends on that, never on the family that the sockaddr claims.
type socketKind struct{ domain, protocol int }

// kindOf asks the duplicate. ENOTSOCK and EBADF (O_PATH) are what bind(2)
// would say as well. No option is asked for by a raw system call: a BPF program
// at the socket's cgroup that wants to see each has the kernel take its lock.
func kindOf(socket int) (k socketKind, err error) {
	if k.domain, err = unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil {
		return k, err
	}
	if k.domain != unix.AF_INET && k.domain != unix.AF_INET6 {
		return k, nil
	}
	k.protocol, err = unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	return k, err
}

// isRaw says that an internet socket has no port, whatever transport its
// protocol number is that of: raw(7).
func isRaw(socket int) bool {
	typ, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && typ == unix.SOCK_RAW
}

// transport says which of the policy's protocols the socket speaks; ok is
// false for a socket that has no internet port: another family, ping, L2TP.
// What is not known is taken for an internet transport, so that only a rule
// for every protocol can allow it.
func (k socketKind) transport() (p config.Protocol, ok bool) {
	switch k.domain {
	case familySMC:
		return config.TCP, true
	case unix.AF_INET, unix.AF_INET6:
	default:
		return "", false
	}
	switch k.protocol {
	case unix.IPPROTO_TCP, unix.IPPROTO_MPTCP, protocolSMC:
		return config.TCP, true
	case unix.IPPROTO_UDP, unix.IPPROTO_UDPLITE:
		return config.UDP, true
	case unix.IPPROTO_SCTP:
		return config.SCTP, true
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6, unix.IPPROTO_L2TP:
		return "", false
	}
	return config.Other, true
}

// parseAddress reads address and port from a sockaddr as the kernel would for
// a socket of this domain. The errno is what every protocol says of it.
func (k socketKind) parseAddress(sockaddr []byte) (netip.AddrPort, error) {
	if len(sockaddr) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}, unix.EINVAL
	}
	family, port := int(binary.NativeEndian.Uint16(sockaddr)), binary.BigEndian.Uint16(sockaddr[2:])
	v4 := netip.AddrPortFrom(netip.AddrFrom4([4]byte(sockaddr[4:8])), port)
	switch {
	case k.domain == unix.AF_INET:
		// bind(2) takes AF_UNSPEC for AF_INET there, ip(7), and refuses others.
		return v4, nil
	case k.domain == familySMC && family != unix.AF_INET6:
		return v4, nil
	case k.protocol == unix.IPPROTO_SCTP && family == unix.AF_INET:
		return v4, nil // an IPv6 socket takes either, SCTP alone
	case len(sockaddr) < 24: // SIN6_LEN_RFC2133: no scope id
		return netip.AddrPort{}, unix.EINVAL
	case family != unix.AF_INET6:
		// Not left to the kernel: IPV6_ADDRFORM can make an IPv4 socket of
		// it meanwhile, which looks for the address elsewhere.
		return netip.AddrPort{}, unix.EAFNOSUPPORT
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(sockaddr[8:24])).Unmap(), port), nil
}

// setPort is what a rewriting decision changes in the copied sockaddr.
func setPort(sockaddr []byte, port uint16) { binary.BigEndian.PutUint16(sockaddr[2:], port) }

// localAddress is where the socket is bound now; port 0 when it is not.
// unix.Getsockname tells nothing to the Go scheduler, and waits for the socket's
// lock, which the target can hold for ever.
func localAddress(socket int) (netip.AddrPort, error) {
	var name [maxSockaddr]byte
	size := uint32(len(name))
	_, _, errno := unix.Syscall(unix.SYS_GETSOCKNAME, uintptr(socket), uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return netip.AddrPort{}, errno
	}
	family := binary.NativeEndian.Uint16(name[:])
	at, err := socketKind{domain: int(family)}.parseAddress(name[:min(size, maxSockaddr)])
	if err != nil {
		return at, fmt.Errorf("ask where the socket is bound: not an internet address, but one of family %d", family)
	}
	return at, nil
}
