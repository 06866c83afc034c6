package agent

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
)

// The layout of struct sockaddr_xdp, linux/if_xdp.h.
const (
	xdpFlags    = 2  // sxdp_flags, 16 bits
	xdpUMEM     = 12 // sxdp_shared_umem_fd, 32 bits
	xdpSockaddr = 16 // the size of the struct
)

// sharesUMEM reports whether the call binds an AF_XDP socket that uses the memory of
// another socket (XDP_SHARED_UMEM). Its sockaddr contains the number of an fd, which
// the kernel looks up in the file table of the caller. No other family's sockaddr
// does: docs/security.md, "What a sockaddr can name".
func (a *attempt) sharesUMEM() bool {
	return a.kind.domain == unix.AF_XDP && a.call.kind == target.Bind &&
		len(a.asked) >= xdpSockaddr &&
		binary.NativeEndian.Uint16(a.asked[xdpFlags:])&unix.XDP_SHARED_UMEM != 0
}

// bindWithUMEM makes a helper bind an AF_XDP socket with what the fd in the sockaddr
// refers to in the target's file table. Whatever the target puts at that number later,
// the socket gets the memory that was found here.
func (a *attempt) bindWithUMEM(call target.Call) error {
	number := int32(binary.NativeEndian.Uint32(a.asked[xdpUMEM:]))
	duplicate, err := a.target.Socket(int(number))
	if err == nil {
		defer unix.Close(duplicate)
		if _, kindErr := kindOf(duplicate); kindErr == nil {
			call.Embedded, call.EmbeddedAt = duplicate, xdpUMEM
			return a.letHelper(call)
		}
	} else if err != unix.EBADF {
		return err
	}
	// No socket is there. The kernel decides which errno comes first, so the helper
	// gets a number that it has no file for.
	call.Argument = bytes.Clone(call.Argument)
	binary.NativeEndian.PutUint32(call.Argument[xdpUMEM:], ^uint32(0))
	return a.letHelper(call)
}
