package filter

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rule returns a rule for one call. All its conditions, args, must hold.
func rule(
	action specs.LinuxSeccompAction, name string, args ...specs.LinuxSeccompArg,
) specs.LinuxSyscall {
	return specs.LinuxSyscall{Names: []string{name}, Action: action, Args: args}
}

// refusal returns a rule by which a call fails with errno.
func refusal(errno uint, name string, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
	refused := rule(specs.ActErrno, name, args...)
	refused.ErrnoRet = &errno
	return refused
}

// ruleLike returns a rule with the action of r, but for another call and with other
// conditions.
func ruleLike(
	r specs.LinuxSyscall, name string, args ...specs.LinuxSeccompArg,
) specs.LinuxSyscall {
	like := rule(r.Action, name, args...)
	like.ErrnoRet = clonePointer(r.ErrnoRet)
	return like
}

// arg returns a condition that compares all 64 bits of an argument.
func arg(index uint, op specs.LinuxSeccompOperator, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Op: op, Value: value}
}

// intArg returns the condition that an argument, which is a C int, equals value in
// the bits of mask.
func intArg(index uint, mask, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{
		Index: index, Op: specs.OpMaskedEqual, Value: mask, ValueTwo: value,
	}
}

// permits reports whether an action lets a call through. SCMP_ACT_TRACE does: the
// tracer that decides is one of the container's own processes.
func permits(action specs.LinuxSeccompAction) bool {
	return action == specs.ActAllow || action == specs.ActLog || action == specs.ActTrace
}

// refuses reports whether an action keeps the kernel from making a call. An action
// that neither permits nor refuses is SCMP_ACT_NOTIFY, or is unknown.
func refuses(action specs.LinuxSeccompAction) bool {
	switch action {
	case specs.ActErrno, specs.ActTrap, specs.ActKill, specs.ActKillThread, specs.ActKillProcess:
		return true
	}
	return false
}

// sameEffect reports whether two rules do the same under the same conditions, each
// to the calls that it names.
func sameEffect(a, b specs.LinuxSyscall) bool {
	return a.Action == b.Action && errnoOf(a) == errnoOf(b) && slices.Equal(a.Args, b.Args)
}

// errnoOf returns the value that the rule's action carries: an errno, or the message
// to a tracer. It is 0 for an action without a value. OCI runtimes use EPERM if a
// profile gives none.
func errnoOf(r specs.LinuxSyscall) uint {
	switch {
	case r.Action != specs.ActErrno && r.Action != specs.ActTrace:
		return 0
	case r.ErrnoRet == nil:
		return uint(unix.EPERM)
	}
	return *r.ErrnoRet
}

// cloneRule returns a copy of r that shares only Names with it.
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
