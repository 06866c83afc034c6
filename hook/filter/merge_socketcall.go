package filter

import (
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// multiplexed are the calls of ours that socketcall(2) makes too, by its first
// argument. The others stand behind a pointer, which a filter can't follow.
var multiplexed = map[uint64]string{2: "bind", 4: "listen", 14: "setsockopt"}

// lastSocketcall is SYS_SENDMMSG, after which no call was multiplexed.
const lastSocketcall = 20

// socketcall notifies those calls that base lets through by any name.
//
// libseccomp adds to each rule for a multiplexed call one for socketcall with
// the same conditions – on registers in which socketcall has no argument. Such a
// rule must not let a call through, so each number gets two rules: an EQ, which
// is what libseccomp writes itself and so swallows that one, and one that the
// upper half of a 64-bit register can't get past (s390x, ppc64le).
func (m *merger) socketcall() error {
	c := m.calls["socketcall"]
	c.keeps = func(r specs.LinuxSyscall) bool {
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
		// Not to be relied on, since runc leaves out what the default does.
		c.permitted, c.permittedIf = nil, nil
	}
	for _, r := range slices.Concat(c.permittedIf, c.refusedIf, c.notified) {
		number, ok := socketcallNumber(r)
		direct := m.calls[multiplexed[number]]
		if !ok || refuses(r.Action) && (c.permitted != nil || direct != nil && direct.refused == nil) {
			return cannotCombine(r, c.name)
		}
	}
	all := c.permitted != nil || permits(m.base.DefaultAction)
	for number := uint64(1); number <= lastSocketcall; number++ {
		exact, masked := arg(0, specs.OpEqualTo, number), intArg(0, cInt, number)
		permitted := func(r specs.LinuxSyscall) bool { n, _ := socketcallNumber(r); return n == number }
		switch direct := m.calls[multiplexed[number]]; {
		case direct == nil:
			if c.permitted != nil && !m.isDefault(*c.permitted) {
				m.want(c, like(*c.permitted, c.name, exact))
			}
		case direct.refused != nil:
			if all && !m.isDefault(*direct.refused) {
				m.want(c, like(*direct.refused, c.name, masked))
			}
		case all || direct.letThrough() || slices.ContainsFunc(c.permittedIf, permitted):
			m.want(c, rule(specs.ActNotify, c.name, exact))
			m.want(c, rule(specs.ActNotify, c.name, masked))
		}
	}
	return nil
}

func (c *call) letThrough() bool {
	return c.permitted != nil || len(c.permittedIf) > 0 || len(c.notified) > 0
}

// socketcallNumber is the one call that r is about, as a 32-bit machine sees it.
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
