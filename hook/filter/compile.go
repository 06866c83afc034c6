package filter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"
	seccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// scmpActions, scmpOperators and scmpArchitectures translate the names of the OCI
// runtime spec for libseccomp.
var scmpActions = map[specs.LinuxSeccompAction]seccomp.ScmpAction{
	specs.ActKill: seccomp.ActKillThread, specs.ActKillThread: seccomp.ActKillThread,
	specs.ActKillProcess: seccomp.ActKillProcess, specs.ActTrap: seccomp.ActTrap,
	specs.ActErrno: seccomp.ActErrno, specs.ActTrace: seccomp.ActTrace,
	specs.ActLog: seccomp.ActLog, specs.ActAllow: seccomp.ActAllow,
	specs.ActNotify: seccomp.ActNotify,
}

var scmpOperators = map[specs.LinuxSeccompOperator]seccomp.ScmpCompareOp{
	specs.OpNotEqual: seccomp.CompareNotEqual, specs.OpLessThan: seccomp.CompareLess,
	specs.OpLessEqual: seccomp.CompareLessOrEqual, specs.OpEqualTo: seccomp.CompareEqual,
	specs.OpGreaterEqual: seccomp.CompareGreaterEqual, specs.OpGreaterThan: seccomp.CompareGreater,
	specs.OpMaskedEqual: seccomp.CompareMaskedEqual,
}

var scmpArchitectures = map[specs.Arch]string{
	specs.ArchX86: "x86", specs.ArchX86_64: "amd64", specs.ArchX32: "x32",
	specs.ArchARM: "arm", specs.ArchAARCH64: "arm64",
	specs.ArchMIPS: "mips", specs.ArchMIPS64: "mips64", specs.ArchMIPS64N32: "mips64n32",
	specs.ArchMIPSEL: "mipsel", specs.ArchMIPSEL64: "mipsel64",
	specs.ArchMIPSEL64N32: "mipsel64n32",
	specs.ArchPPC:         "ppc", specs.ArchPPC64: "ppc64", specs.ArchPPC64LE: "ppc64le",
	specs.ArchRISCV64: "riscv64", specs.ArchS390: "s390", specs.ArchS390X: "s390x",
	specs.ArchLOONGARCH64: "loong64",
}

// kernelFlags are the flags of seccomp(2) that a profile may name. The kernel has
// WAIT_KILLABLE_RECV since 5.19, but libseccomp only since 2.6, which many distributions
// do not have yet. So libseccomp only makes the program, and the caller of Compile loads
// the program without libseccomp.
var kernelFlags = map[specs.LinuxSeccompFlag]uint{
	specs.LinuxSeccompFlagLog:              unix.SECCOMP_FILTER_FLAG_LOG,
	specs.LinuxSeccompFlagSpecAllow:        unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
	specs.LinuxSeccompFlagWaitKillableRecv: unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
}

// A Program is a compiled filter: the instructions and the flags for seccomp(2).
type Program struct {
	Instructions []unix.SockFilter
	Flags        uint
}

// Compile returns the program of a profile, with those flags of the profile that this
// kernel has. On a kernel without WAIT_KILLABLE_RECV a signal can interrupt a bind with
// EINTR, which bind does not return without a filter.
func Compile(p *specs.LinuxSeccomp) (compiled Program, err error) {
	for _, name := range p.Flags {
		flag, ok := kernelFlags[name]
		if !ok {
			return Program{}, fmt.Errorf("compile the seccomp filter: flag %q is unknown", name)
		}
		if kernelHas(flag) {
			compiled.Flags |= flag
		}
	}
	if err := anyKernel(); err != nil {
		return Program{}, fmt.Errorf("prepare libseccomp: %w", err)
	}
	filter, err := newScmpFilter(p)
	if err != nil {
		return Program{}, err
	}
	defer filter.Release()
	compiled.Instructions, err = export(filter)
	return compiled, err
}

// anyKernel makes libseccomp compile for every kernel. Otherwise it asks this one what it
// has, and refuses notifications before Linux 5.7 (for TSYNC_ESRCH, a flag that only
// libseccomp itself would need) and where a sandbox refuses seccomp(2). 6 is the API level
// of libseccomp 2.5.
var anyKernel = sync.OnceValue(func() error { return seccomp.SetAPI(6) })

// kernelHas reports whether the kernel knows a flag of seccomp(2). It loads no filter:
// the kernel checks the flags (EINVAL for an unknown one) before it reads the filter
// (EFAULT for a null pointer).
func kernelHas(flag uint) bool {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		uintptr(flag|unix.SECCOMP_FILTER_FLAG_NEW_LISTENER), 0)
	return errno == unix.EFAULT
}

// newScmpFilter gives a profile to libseccomp in the way that runc does. It leaves out
// calls that this libseccomp does not know, and rules that do what the default does.
func newScmpFilter(p *specs.LinuxSeccomp) (*seccomp.ScmpFilter, error) {
	action, err := scmpAction(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	filter, err := seccomp.NewFilter(action)
	if err != nil {
		return nil, fmt.Errorf("make a seccomp filter: %w", err)
	}
	for _, name := range p.Architectures {
		arch, err := seccomp.GetArchFromString(scmpArchitectures[name])
		if err == nil {
			err = filter.AddArch(arch)
		}
		if err != nil {
			return nil, fmt.Errorf("add architecture %q to the seccomp filter: %w", name, err)
		}
	}
	for _, r := range p.Syscalls {
		if err := addRule(filter, r, action); err != nil {
			return nil, fmt.Errorf("add rule %s for %q to the seccomp filter: %w",
				r.Action, r.Names, err)
		}
	}
	return filter, nil
}

// addRule adds a rule for each call that r names. byDefault is the filter's default
// action.
func addRule(
	filter *seccomp.ScmpFilter, r specs.LinuxSyscall, byDefault seccomp.ScmpAction,
) error {
	action, err := scmpAction(r.Action, r.ErrnoRet)
	if err != nil || action == byDefault {
		return err
	}
	conditions := make([]seccomp.ScmpCondition, len(r.Args))
	for i, a := range r.Args {
		operator := scmpOperators[a.Op] // 0 if it is unknown, which MakeCondition refuses
		conditions[i], err = seccomp.MakeCondition(a.Index, operator, a.Value, a.ValueTwo)
		if err != nil {
			return err
		}
	}
	// libseccomp refuses two conditions on one argument. runc then makes a rule of each
	// condition, so that any of them is enough, and so does this function.
	alternatives := [][]seccomp.ScmpCondition{conditions}
	if testsAnArgumentTwice(r.Args) {
		alternatives = nil
		for _, condition := range conditions {
			alternatives = append(alternatives, []seccomp.ScmpCondition{condition})
		}
	}
	for _, name := range r.Names {
		number, err := seccomp.GetSyscallFromName(name)
		if err != nil {
			continue // libseccomp does not know the call
		}
		for _, conditions := range alternatives {
			if err := filter.AddRuleConditional(number, action, conditions); err != nil {
				return err
			}
		}
	}
	return nil
}

func testsAnArgumentTwice(args []specs.LinuxSeccompArg) bool {
	tested := map[uint]bool{}
	for _, a := range args {
		if tested[a.Index] {
			return true
		}
		tested[a.Index] = true
	}
	return false
}

func scmpAction(action specs.LinuxSeccompAction, errno *uint) (seccomp.ScmpAction, error) {
	known, ok := scmpActions[action]
	if !ok {
		return 0, fmt.Errorf("unknown seccomp action %q", action)
	}
	value := errnoOf(specs.LinuxSyscall{Action: action, ErrnoRet: errno})
	return known.SetReturnCode(int16(value)), nil
}

// export returns the program that libseccomp makes of a filter, by
// seccomp_export_bpf(3).
func export(filter *seccomp.ScmpFilter) ([]unix.SockFilter, error) {
	fd, err := unix.MemfdCreate("seccomp", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create a file for the seccomp program: %w", err)
	}
	file := os.NewFile(uintptr(fd), "seccomp program")
	defer file.Close()
	if err := filter.ExportBPF(file); err != nil {
		return nil, fmt.Errorf("export the seccomp program: %w", err)
	}
	raw, err := io.ReadAll(io.NewSectionReader(file, 0, math.MaxInt64))
	if err != nil {
		return nil, fmt.Errorf("read the seccomp program back: %w", err)
	}
	instructions := make([]unix.SockFilter, len(raw)/unix.SizeofSockFilter)
	if err := binary.Read(bytes.NewReader(raw), binary.NativeEndian, instructions); err != nil {
		return nil, fmt.Errorf("read the seccomp program back: %w", err)
	}
	if len(instructions) == 0 {
		return nil, errors.New("export the seccomp program: it is empty")
	}
	return instructions, nil
}
