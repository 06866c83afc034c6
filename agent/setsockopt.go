package agent

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Socket options that bind a port without bind(2). The filter refuses them by
// itself, but for socketcall(2), whose arguments it can't see.
const (
	optionLocalPortRange = 51  // IP_LOCAL_PORT_RANGE, of IPPROTO_IP, Linux 6.3
	optionBindx          = 100 // SCTP_SOCKOPT_BINDX_ADD, of IPPROTO_SCTP
)

// setsockopt does what a 32-bit program asked through socketcall(2): its
// argument block stands in its memory, where it could be changed between our
// look and the kernel's, so the kernel never looks.
func (a *attempt) setsockopt() error {
	if a.call.level == unix.SOL_SOCKET && (a.call.option == unix.SO_ATTACH_FILTER || a.call.option == unix.SO_ATTACH_REUSEPORT_CBPF) {
		return a.attachFilter()
	}
	value, ok := a.plainValue()
	if !ok {
		return fmt.Errorf("option %d of level %d can't be set through socketcall: it binds a port, or its value is not plain data", a.call.option, a.call.level)
	}
	a.call.addrlen = len(value)
	err := unix.SetsockoptString(a.socket, a.call.level, a.call.option, string(value))
	if err == unix.EPERM || err == unix.EACCES {
		return a.target.actAsTarget(&a.call, a.socket, value, a.valid)
	}
	return err
}

// attachFilter copies the classic BPF program to which a 32-bit struct
// sock_fprog points: a length, padding, an address.
func (a *attempt) attachFilter() error {
	if len(a.asked) < 8 || !a.call.narrow {
		return unix.EINVAL
	}
	length := binary.NativeEndian.Uint16(a.asked)
	if length == 0 || length > unix.BPF_MAXINSNS {
		return unix.EINVAL
	}
	program := make([]unix.SockFilter, length)
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&program[0])), int(length)*int(unsafe.Sizeof(program[0])))
	if err := a.target.read(uint64(binary.NativeEndian.Uint32(a.asked[4:])), bytes); err != nil {
		return err
	}
	if !a.valid() {
		return errWithdrawn
	}
	return unix.SetsockoptSockFprog(a.socket, a.call.level, a.call.option, &unix.SockFprog{Len: length, Filter: &program[0]})
}

// plainValue says whether the option may be set from a copy: its value holds no
// pointer, no fd, and looks the same to 32 and 64 bits once converted here.
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
			wide := make([]byte, 16) // struct timeval of two 32-bit words, whatever the length says
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
	case unix.SOL_ALG, unix.SOL_RXRPC: // keys, of our keyrings
		return nil, false
	case unix.SOL_PACKET:
		return a.asked, option != unix.PACKET_FANOUT_DATA && length <= 4 // an fd
	}
	return a.asked, length <= 4
}
