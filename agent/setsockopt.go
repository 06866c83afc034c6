package agent

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
)

// Socket options that bind a port without bind(2). The filter refuses them itself,
// except through socketcall(2), whose arguments it can't see.
const (
	optionLocalPortRange = 51  // IP_LOCAL_PORT_RANGE, of IPPROTO_IP, Linux 6.3
	optionBindx          = 100 // SCTP_SOCKOPT_BINDX_ADD, of IPPROTO_SCTP
)

// setsockopt sets an option that a 32-bit program asked for through socketcall(2).
// The arguments are in the program's memory, where another thread could change
// them after they were checked, so the kernel must not read them again.
func (a *attempt) setsockopt() error {
	if a.call.level == unix.SOL_SOCKET &&
		(a.call.option == unix.SO_ATTACH_FILTER || a.call.option == unix.SO_ATTACH_REUSEPORT_CBPF) {
		return a.attachFilter()
	}
	value, ok := a.plainValue()
	if !ok {
		return fmt.Errorf("option %d of level %d can't be set through socketcall: "+
			"it binds a port, or its value is not plain data", a.call.option, a.call.level)
	}
	if !isUnprivileged(a.call.level, a.call.option, value) {
		// Set by the target's own credentials. The worker may own the target's
		// user namespace, and then has every capability over the socket.
		return a.makeCallAtPace(value)
	}
	return unix.SetsockoptString(a.socket, a.call.level, a.call.option, string(value))
}

// unprivilegedOptions are options of which the kernel asks no capability, whatever the
// value, with the sources in which that was read: net/core/sock.c, net/ipv4/tcp.c,
// net/ipv4/ip_sockglue.c and net/ipv6/ipv6_sockglue.c of Linux 6.18. They are what
// programs use; any other option works, too, by a helper.
var unprivilegedOptions = map[int][]int{
	unix.SOL_SOCKET: {
		unix.SO_REUSEADDR, unix.SO_REUSEPORT, unix.SO_KEEPALIVE, unix.SO_BROADCAST, unix.SO_LINGER,
		unix.SO_OOBINLINE, unix.SO_SNDBUF, unix.SO_RCVBUF, unix.SO_RCVLOWAT, unix.SO_RCVTIMEO,
		unix.SO_SNDTIMEO, unix.SO_PASSCRED, unix.SO_TIMESTAMP, unix.SO_TIMESTAMPNS,
	},
	unix.IPPROTO_TCP: {
		unix.TCP_NODELAY, unix.TCP_CORK, unix.TCP_MAXSEG, unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL,
		unix.TCP_KEEPCNT, unix.TCP_SYNCNT, unix.TCP_LINGER2, unix.TCP_DEFER_ACCEPT,
		unix.TCP_QUICKACK, unix.TCP_USER_TIMEOUT, unix.TCP_NOTSENT_LOWAT,
	},
	unix.IPPROTO_IP: {
		unix.IP_TOS, unix.IP_TTL, unix.IP_MTU_DISCOVER, unix.IP_RECVERR, unix.IP_RECVTOS,
		unix.IP_RECVTTL, unix.IP_PKTINFO, unix.IP_MULTICAST_TTL, unix.IP_MULTICAST_LOOP,
	},
	unix.IPPROTO_IPV6: {
		unix.IPV6_V6ONLY, unix.IPV6_UNICAST_HOPS, unix.IPV6_MULTICAST_HOPS,
		unix.IPV6_MULTICAST_LOOP, unix.IPV6_MTU_DISCOVER, unix.IPV6_RECVERR,
		unix.IPV6_RECVPKTINFO, unix.IPV6_RECVHOPLIMIT,
	},
}

// isUnprivileged reports whether the kernel asks no capability for the option.
func isUnprivileged(level, option int, value []byte) bool {
	if level == unix.SOL_SOCKET && option == unix.SO_PRIORITY && len(value) == 4 {
		priority := int32(binary.NativeEndian.Uint32(value))
		return 0 <= priority && priority <= 6 // above, it asks CAP_NET_ADMIN or CAP_NET_RAW
	}
	return slices.Contains(unprivilegedOptions[level], option)
}

// attachFilter attaches a copy of a classic BPF program. The option's value is a
// 32-bit struct sock_fprog: a length, padding, and the address of the program.
func (a *attempt) attachFilter() error {
	if len(a.asked) < 8 || !a.call.narrow {
		return unix.EINVAL
	}
	length := binary.NativeEndian.Uint16(a.asked)
	if length == 0 || length > unix.BPF_MAXINSNS {
		return unix.EINVAL
	}
	program := make([]unix.SockFilter, length)
	size := int(length) * int(unsafe.Sizeof(program[0]))
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&program[0])), size)
	if err := a.target.Read(uint64(binary.NativeEndian.Uint32(a.asked[4:])), bytes); err != nil {
		return err
	}
	if !a.valid() {
		return target.ErrWithdrawn
	}
	return unix.SetsockoptSockFprog(a.socket, a.call.level, a.call.option,
		&unix.SockFprog{Len: length, Filter: &program[0]})
}

// plainValue returns the option's value as a 64-bit program would give it. ok is
// false if the option must not be set from a copy: the value contains a pointer,
// an fd or a key, which would be looked up for the supervisor, or the option binds
// a port.
func (a *attempt) plainValue() (value []byte, ok bool) {
	length, option := len(a.asked), a.call.option
	switch a.call.level {
	case unix.SOL_SOCKET:
		switch option {
		case unix.SO_ATTACH_BPF, unix.SO_ATTACH_REUSEPORT_EBPF: // fds
			return nil, false
		case unix.SO_RCVTIMEO, unix.SO_SNDTIMEO:
			if !a.call.narrow || length < 8 {
				return a.asked, length <= 16
			}
			// A struct timeval has two longs, which have 32 bits in the value.
			wide := make([]byte, 16)
			for i := range 2 {
				word := int32(binary.NativeEndian.Uint32(a.asked[4*i:]))
				binary.NativeEndian.PutUint64(wide[8*i:], uint64(int64(word)))
			}
			return wide, true
		}
		return a.asked, length <= 16
	case unix.IPPROTO_IP:
		return a.asked, option != optionLocalPortRange && option < 64 && length <= 12
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_UDPLITE:
		return a.asked, length <= 16
	case unix.IPPROTO_IPV6:
		return a.asked, option < 64 && length <= 20
	case unix.IPPROTO_SCTP:
		return a.asked, option != optionBindx && length <= 16
	case unix.SOL_ALG, unix.SOL_RXRPC:
		// Keys, which the kernel takes from the keyrings of the process that sets the
		// option.
		return nil, false
	case unix.SOL_PACKET:
		// The value of PACKET_FANOUT_DATA can be an fd.
		return a.asked, option != unix.PACKET_FANOUT_DATA && length <= 4
	}
	return a.asked, length <= 4
}
