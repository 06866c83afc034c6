package agent

import (
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/config"
)

// Families and protocols that bind internet ports and that package unix does not
// name, linux/socket.h and linux/in.h.
const (
	familyRxRPC = 33 // binds a UDP port in the kernel
	familySMC   = 43 // binds the TCP port of its fallback socket

	protocolSMC = 256 // SMC as a protocol of AF_INET, Linux 6.11
)

// A socketKind is the kind of a socket, as the kernel reports it. What is bound
// depends on the socket, never on the family in the sockaddr.
type socketKind struct{ domain, protocol int }

// kindOf asks the kernel about the duplicate. ENOTSOCK and EBADF (O_PATH) are what
// bind(2) would return as well. Options are not read by raw system calls: if a BPF
// program at the socket's cgroup is to see each one, the kernel takes the socket's
// lock, which the target can hold for ever.
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

// isRaw reports whether a socket is raw. A raw socket has no port, even if its
// protocol number is that of a transport with ports: raw(7).
func isRaw(socket int) bool {
	typ, err := unix.GetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && typ == unix.SOCK_RAW
}

// isTCP reports whether the socket is one of TCP itself, not of MPTCP or SMC.
func (k socketKind) isTCP() bool {
	return (k.domain == unix.AF_INET || k.domain == unix.AF_INET6) &&
		k.protocol == unix.IPPROTO_TCP
}

// transport returns the protocol of the socket, as the policy distinguishes them.
// ok is false for a socket without an internet port: another family, ping, L2TP. A
// protocol that is not known is config.Other, so that only a rule for every
// protocol can allow it.
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

// isDualStack reports whether a socket serves IPv4 as well if it is bound to the
// unspecified address of IPv6, ipv6(7). Once the socket is bound, the option that
// decides this can't be changed any more.
func isDualStack(socket int) bool {
	only, err := unix.GetsockoptInt(socket, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	return err != nil || only == 0
}

// cookieOf returns the cookie of a socket (SO_COOKIE, socket(7)), which the kernel never
// gives to another one.
func cookieOf(socket int) (uint64, error) {
	return unix.GetsockoptUint64(socket, unix.SOL_SOCKET, unix.SO_COOKIE)
}
