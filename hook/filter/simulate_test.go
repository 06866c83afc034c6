package filter

import (
	"encoding/binary"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	seccomp "github.com/seccomp/libseccomp-golang"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A machine is a system call convention, as a filter program distinguishes them.
type machine struct {
	name  string
	scmp  seccomp.ScmpArch
	audit uint32
	wide  bool // has registers of 64 bits
}

var machines = []machine{
	{"x86_64", seccomp.ArchAMD64, unix.AUDIT_ARCH_X86_64, true},
	{"i386", seccomp.ArchX86, unix.AUDIT_ARCH_I386, false},
	{"x32", seccomp.ArchX32, unix.AUDIT_ARCH_X86_64, true},
	{"aarch64", seccomp.ArchARM64, unix.AUDIT_ARCH_AARCH64, true},
	{"arm", seccomp.ArchARM, unix.AUDIT_ARCH_ARM, false},
	// socketcall with 64-bit registers
	{"ppc64le", seccomp.ArchPPC64LE, unix.AUDIT_ARCH_PPC64LE, true},
}

// everywhere lists the architectures of all machines. One program can hold them: they
// have the same byte order.
var everywhere = []specs.Arch{
	specs.ArchX86_64, specs.ArchX86, specs.ArchX32, specs.ArchAARCH64, specs.ArchARM,
	specs.ArchPPC64LE,
}

// direct are the numbers of calls on machines that have socketcall, too. There libseccomp
// returns negative numbers, which it made up itself, for these calls.
var direct = map[string]map[string]uint32{
	"i386":    {"bind": 361, "listen": 363, "setsockopt": 366},
	"ppc64le": {"bind": 327, "listen": 329, "setsockopt": 339},
}

// number returns the number of a call, and whether the machine has that call.
func (m machine) number(t *testing.T, name string) (uint32, bool) {
	if number, ok := direct[m.name][name]; ok {
		return number, true
	}
	number, err := seccomp.GetSyscallFromNameByArch(name, m.scmp)
	require.NoError(t, err, name)
	return uint32(number), number >= 0
}

// A simulation is the program that libseccomp makes of a profile. It runs on calls that
// were never made.
type simulation []unix.SockFilter

func simulate(t *testing.T, p *specs.LinuxSeccomp) simulation {
	return simulateOptimized(t, p, 1)
}

// simulateOptimized returns the program at one of libseccomp's levels of optimization. runc
// uses a binary tree (level 2) for larger profiles.
func simulateOptimized(t *testing.T, p *specs.LinuxSeccomp, level int) simulation {
	filter, err := newScmpFilter(p)
	require.NoError(t, err)
	defer filter.Release()
	require.NoError(t, filter.SetOptimize(level))
	instructions, err := export(filter)
	require.NoError(t, err)
	return instructions
}

// action runs the program on one call, as seccomp_run_filters() of the kernel does, and
// returns the program's SECCOMP_RET_* value.
func (s simulation) action(
	t *testing.T, m machine, number uint32, args ...uint64,
) uint32 {
	data := make([]byte, 64) // struct seccomp_data
	binary.NativeEndian.PutUint32(data, number)
	binary.NativeEndian.PutUint32(data[4:], m.audit)
	for i, arg := range args {
		if !m.wide {
			arg &= 0xffffffff
		}
		binary.NativeEndian.PutUint64(data[16+8*i:], arg)
	}
	var a uint32
	for pc := 0; ; pc++ {
		in := s[pc]
		taken := false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = binary.NativeEndian.Uint32(data[in.K:])
			continue
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			a &= in.K
			continue
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(in.K)
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			taken = a == in.K
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			taken = a > in.K
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			taken = a >= in.K
		default:
			require.FailNow(t, "unknown instruction", "number %d: %+v", pc, in)
		}
		if taken {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
}

// The actions that the tests expect.
const (
	allowed  = uint32(unix.SECCOMP_RET_ALLOW)
	logged   = uint32(unix.SECCOMP_RET_LOG)
	notified = uint32(unix.SECCOMP_RET_USER_NOTIF)
	killed   = uint32(unix.SECCOMP_RET_KILL_THREAD)
	eperm    = uint32(unix.SECCOMP_RET_ERRNO | unix.EPERM)
	ebusy    = uint32(unix.SECCOMP_RET_ERRNO | unix.EBUSY)
	enosys   = uint32(unix.SECCOMP_RET_ERRNO | unix.ENOSYS)
)
