package filter

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func rule(action specs.LinuxSeccompAction, name string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: []string{name}, Action: action, Args: args}
}

func refusal(errno uint, name string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	refused := rule(specs.ActErrno, name, args...)
	refused.ErrnoRet = &errno
	return refused
}

func arg(index uint, op specs.LinuxSeccompOperator, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Op: op, Value: value}
}

// intArg matches a C int by the bits of mask.
func intArg(index uint, mask, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Op: specs.OpMaskedEqual, Value: mask, ValueTwo: value}
}

// permits: a tracer is one of the container's own processes, so what asks it permits.
func permits(action specs.LinuxSeccompAction) bool {
	return action == specs.ActAllow || action == specs.ActLog || action == specs.ActTrace
}

func refuses(action specs.LinuxSeccompAction) bool {
	switch action {
	case specs.ActErrno, specs.ActTrap, specs.ActKill, specs.ActKillThread, specs.ActKillProcess:
		return true
	}
	return false
}

// says whether two rules do the same under the same conditions.
func sameEffect(a, b specs.LinuxSyscall) bool {
	return a.Action == b.Action && errnoOf(a) == errnoOf(b) && slices.Equal(a.Args, b.Args)
}

// errnoOf is what the rule's action returns; runtimes take EPERM for a missing one.
func errnoOf(r specs.LinuxSyscall) uint {
	switch {
	case r.Action != specs.ActErrno && r.Action != specs.ActTrace:
		return 0
	case r.ErrnoRet == nil:
		return uint(unix.EPERM)
	}
	return *r.ErrnoRet
}

func like(r specs.LinuxSyscall, name string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: []string{name}, Action: r.Action, ErrnoRet: clonePointer(r.ErrnoRet), Args: args}
}

func cloneRule(r specs.LinuxSyscall) specs.LinuxSyscall {
	r.ErrnoRet, r.Args = clonePointer(r.ErrnoRet), slices.Clone(r.Args)
	return r
}

func clonePointer(p *uint) *uint {
	if p == nil {
		return nil
	}
	return new(*p)
}
