package filter

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The filter lets binds of shorter addresses through, so the kernel must refuse them for
// every internet socket.
func TestNoInternetSocketBindsAnAddressBelow16Bytes(t *testing.T) {
	done := make(chan error)
	go func() {
		if err := enterNetwork(); err != nil {
			done <- err
			return
		}
		done <- eachInternetSocket(func(s socketType, socket int) error {
			families := []uint16{uint16(s.family), unix.AF_UNSPEC, unix.AF_INET, unix.AF_INET6}
			for length := range shortestAddress {
				for _, family := range families {
					if errno := bindRaw(socket, family, length); errno != unix.EINVAL {
						return fmt.Errorf("%s: bind of %d bytes, family %d: %v instead of EINVAL",
							s.name, length, family, errno)
					}
				}
			}
			return nil
		})
	}()
	require.NoError(t, <-done)
}

// bindRaw binds the first length bytes of an address with the given family and port 5000.
func bindRaw(socket int, family uint16, length int) unix.Errno {
	address := [128]byte{2: 5000 >> 8, 3: 5000 & 0xff}
	*(*uint16)(unsafe.Pointer(&address)) = family
	_, _, errno := unix.RawSyscall(unix.SYS_BIND,
		uintptr(socket), uintptr(unsafe.Pointer(&address)), uintptr(length))
	return errno
}

// A socketType is the arguments of socket(2).
type socketType struct {
	name                   string
	family, kind, protocol int
	optional               bool // not every kernel has it
}

func internetSockets() []socketType {
	const afSMC = 43
	types := []socketType{
		{"smc", afSMC, unix.SOCK_STREAM, 0, true},
		{"smc6", afSMC, unix.SOCK_STREAM, 1, true},
	}
	for suffix, family := range map[string]int{"4": unix.AF_INET, "6": unix.AF_INET6} {
		icmp := unix.IPPROTO_ICMP
		if family == unix.AF_INET6 {
			icmp = unix.IPPROTO_ICMPV6
		}
		types = append(types,
			socketType{"tcp" + suffix, family, unix.SOCK_STREAM, 0, false},
			socketType{"udp" + suffix, family, unix.SOCK_DGRAM, 0, false},
			socketType{"raw" + suffix, family, unix.SOCK_RAW, 255, false},
			socketType{"ping" + suffix, family, unix.SOCK_DGRAM, icmp, false},
			socketType{"mptcp" + suffix, family, unix.SOCK_STREAM, unix.IPPROTO_MPTCP, true},
			socketType{"udplite" + suffix, family, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE, true},
			socketType{"sctp" + suffix, family, unix.SOCK_STREAM, unix.IPPROTO_SCTP, true},
			socketType{
				"sctp-seqpacket" + suffix, family, unix.SOCK_SEQPACKET, unix.IPPROTO_SCTP, true,
			},
			socketType{"l2tp" + suffix, family, unix.SOCK_DGRAM, unix.IPPROTO_L2TP, true},
		)
	}
	return types
}

// enterNetwork moves the calling goroutine to a new network namespace, where ping sockets
// may be created. It locks the goroutine to its thread, so the thread ends with the
// goroutine.
func enterNetwork() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("create a network namespace (run the tests as root): %w", err)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 2147483647"), 0)
}

// eachInternetSocket calls do with one socket of each type that the kernel has.
func eachInternetSocket(do func(s socketType, socket int) error) error {
	for _, s := range internetSockets() {
		socket, err := unix.Socket(s.family, s.kind|unix.SOCK_CLOEXEC, s.protocol)
		if err != nil && s.optional {
			continue
		}
		if err != nil {
			return fmt.Errorf("create a socket %s: %w", s.name, err)
		}
		err = do(s, socket)
		unix.Close(socket)
		if err != nil {
			return err
		}
	}
	return nil
}
