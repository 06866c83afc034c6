package filter

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// multiplexed are the calls of the filter that socketcall(2) can make, too, by the
// number in the first argument of socketcall. The arguments of the call itself are
// behind a pointer, which a filter can't follow.
var multiplexed = map[uint64]string{2: "bind", 4: "listen", 14: "setsockopt"}

// lastSocketcall is SYS_SENDMMSG, the highest number of socketcall(2). The kernel
// multiplexes no newer call.
const lastSocketcall = 20

// planSocketcall makes socketcall notify for each multiplexed call that base lets
// through by any name: by the call's own or by socketcall. For a call that base refuses
// by its own name, socketcall gets the same refusal. Every other number stays permitted
// by a rule of its own, if a rule of base permits socketcall.
//
// From each rule for a multiplexed call libseccomp makes another one for socketcall,
// with the same conditions, but on registers in which socketcall has no argument. A
// rule that is made in this way must not let a call through. So each number gets two
// rules. One compares by EQ, as the rules do that libseccomp makes, and so swallows
// those. The other compares only the lower 32 bits, so that no value in the upper half
// of a 64-bit register gets past it (s390x, ppc64le).
func (m *merger) planSocketcall() error {
	c := m.calls["socketcall"]
	c.mayStayIn = func(r specs.LinuxSyscall) bool {
		number, ok := socketcallNumber(r)
		if multiplexed[number] != "" {
			return ok && r.Action == specs.ActNotify
		}
		return ok && permits(r.Action) && c.refused == nil
	}
	if c.refused != nil {
		if permits(m.base.DefaultAction) {
			return nil
		}
		// Base refuses socketcall, so its permissions of socketcall are ignored. But
		// the refusal can't be relied on, since runc leaves out a rule that does what
		// the default does: the multiplexed calls get their rules all the same.
		c.permitted, c.permittedIf = nil, nil
	}
	for _, r := range slices.Concat(c.permittedIf, c.refusedIf, c.notified) {
		number, ok := socketcallNumber(r)
		direct := m.calls[multiplexed[number]]
		if !ok ||
			refuses(r.Action) && (c.permitted != nil || direct != nil && direct.refused == nil) {
			return cannotCombine(r, c.name)
		}
	}
	all := c.permitted != nil || permits(m.base.DefaultAction)
	for number := uint64(1); number <= lastSocketcall; number++ {
		exact, masked := arg(0, specs.OpEqualTo, number), intArg(0, cInt, number)
		isForNumber := func(r specs.LinuxSyscall) bool {
			n, _ := socketcallNumber(r)
			return n == number
		}
		switch direct := m.calls[multiplexed[number]]; {
		case direct == nil: // not a call of the filter
			if c.permitted != nil && !m.isDefault(*c.permitted) {
				m.add(c, ruleLike(*c.permitted, c.name, exact))
			}
		case direct.refused != nil:
			if all && !m.isDefault(*direct.refused) {
				m.add(c, ruleLike(*direct.refused, c.name, masked))
			}
		case all || direct.letsThrough() || slices.ContainsFunc(c.permittedIf, isForNumber):
			m.add(c, rule(specs.ActNotify, c.name, exact))
			m.add(c, rule(specs.ActNotify, c.name, masked))
		}
	}
	return nil
}

// socketcallNumber returns the only number of socketcall that a rule is for, as a
// 32-bit machine reads it. ok is false if the rule is for several numbers, or has other
// conditions.
func socketcallNumber(r specs.LinuxSyscall) (number uint64, ok bool) {
	if len(r.Args) != 1 || r.Args[0].Index != 0 {
		return 0, false
	}
	switch a := r.Args[0]; {
	case a.Op == specs.OpEqualTo:
		return a.Value & cInt, true
	case a.Op == specs.OpMaskedEqual && a.Value == cInt:
		return a.ValueTwo & cInt, true
	}
	return 0, false
}
