package agent

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent/target"
)

// A call is what a notification asks for, whichever architecture and system call
// it came by. An int field is a C int: the kernel uses the lower half of the
// register only.
type call struct {
	kind    target.Kind
	fd      int
	addr    uint64 // in the target's memory; bind: the sockaddr; setsockopt: the option's value
	addrlen int    // bytes at addr
	backlog int    // listen
	level   int    // setsockopt
	option  int    // setsockopt

	// argsInMemory means that even the fd is in the target's memory (socketcall(2)).
	// If the kernel ran the call, it could find another fd there.
	argsInMemory bool
	narrow       bool // a long of the caller has 32 bits
}

// An abi is how one architecture numbers the system calls that notify.
type abi struct {
	bind, listen, socketcall int32 // 0: the architecture has no such call
	word                     int   // bytes of a long, in socketcall's argument block
}

// abis are keyed by AUDIT_ARCH_*, linux/audit.h; the numbers are those of each
// architecture's syscall table.
var abis = map[uint32]abi{
	unix.AUDIT_ARCH_X86_64:      {bind: 49, listen: 50, word: 8},
	unix.AUDIT_ARCH_I386:        {bind: 361, listen: 363, socketcall: 102, word: 4},
	unix.AUDIT_ARCH_AARCH64:     {bind: 200, listen: 201, word: 8},
	unix.AUDIT_ARCH_ARM:         {bind: 282, listen: 284, word: 4},
	unix.AUDIT_ARCH_RISCV64:     {bind: 200, listen: 201, word: 8},
	unix.AUDIT_ARCH_LOONGARCH64: {bind: 200, listen: 201, word: 8},
	unix.AUDIT_ARCH_PPC64LE:     {bind: 327, listen: 329, socketcall: 102, word: 8},
	unix.AUDIT_ARCH_S390X:       {bind: 361, listen: 363, socketcall: 102, word: 8},
	unix.AUDIT_ARCH_S390:        {bind: 361, listen: 363, socketcall: 102, word: 4},
}

// x32Bit marks a syscall number of the x32 ABI, which shares AUDIT_ARCH_X86_64.
const x32Bit = 0x40000000

// socketcall(2)'s call numbers, linux/net.h.
const (
	socketcallBind       = 2
	socketcallListen     = 4
	socketcallSetsockopt = 14
)

// decodeCall returns what n asks for. The arguments of socketcall(2) are in the
// target's memory and are copied from there once.
func decodeCall(n *notification, t targetThread) (call, error) {
	a, ok := abis[n.Arch]
	if !ok {
		return call{}, fmt.Errorf("syscall %d of architecture %#x is not one the filter asks about",
			n.NR, n.Arch)
	}
	nr := n.NR
	if n.Arch == unix.AUDIT_ARCH_X86_64 {
		nr &^= x32Bit
	}
	switch {
	case nr == a.bind:
		return call{
			kind: target.Bind, fd: cint(n.Args[0]), addr: n.Args[1], addrlen: cint(n.Args[2]),
		}, nil
	case nr == a.listen:
		return call{kind: target.Listen, fd: cint(n.Args[0]), backlog: cint(n.Args[1])}, nil
	case nr == a.socketcall && a.socketcall != 0:
		return decodeSocketcall(n, a, t)
	}
	return call{}, fmt.Errorf("syscall %d of architecture %#x is not one the filter asks about",
		n.NR, n.Arch)
}

func decodeSocketcall(n *notification, a abi, t targetThread) (call, error) {
	number := cint(n.Args[0])
	words := map[int]int{socketcallBind: 3, socketcallListen: 2, socketcallSetsockopt: 5}[number]
	if words == 0 {
		return call{}, fmt.Errorf("socketcall %d is not one the filter asks about", number)
	}
	block := make([]byte, words*a.word)
	if err := t.Read(n.Args[1], block); err != nil {
		return call{}, err
	}
	arg := func(i int) uint64 {
		if a.word == 4 {
			return uint64(binary.NativeEndian.Uint32(block[i*4:]))
		}
		return binary.NativeEndian.Uint64(block[i*8:])
	}
	c := call{fd: cint(arg(0)), argsInMemory: true, narrow: a.word == 4}
	switch number {
	case socketcallBind:
		c.kind, c.addr, c.addrlen = target.Bind, arg(1), cint(arg(2))
	case socketcallListen:
		c.kind, c.backlog = target.Listen, cint(arg(1))
	default:
		c.kind, c.level, c.option = target.Setsockopt, cint(arg(1)), cint(arg(2))
		c.addr, c.addrlen = arg(3), cint(arg(4))
	}
	return c, nil
}

// cint returns the C int in a register.
func cint(register uint64) int { return int(int32(uint32(register))) }
