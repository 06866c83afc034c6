package filter

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// planBind makes bind notify. If base permits bind, a bind of an address that is too
// short to have a port stays permitted.
func (m *merger) planBind() error {
	c := m.calls["bind"]
	long := arg(2, specs.OpGreaterEqual, shortestAddress)
	short := arg(2, specs.OpLessThan, shortestAddress)
	c.mayStayIn = func(r specs.LinuxSyscall) bool {
		return c.refused == nil && permits(r.Action) &&
			slices.Equal(r.Args, []specs.LinuxSeccompArg{short})
	}
	var permission []specs.LinuxSyscall
	if c.permitted != nil && !m.isDefault(*c.permitted) {
		permission = append(permission, ruleLike(*c.permitted, c.name, short))
	}
	return m.notify(c, rule(specs.ActNotify, c.name, long), permission...)
}

// planListen makes every listen notify.
func (m *merger) planListen() error {
	c := m.calls["listen"]
	return m.notify(c, rule(specs.ActNotify, c.name))
}

// notify makes a call notify where base lets the call through.
//
//   - If base does so without conditions (by a rule or by default), notify adds
//     notification, and the rules in permissions for what need not notify.
//   - If base does so without conditions and also has rules with conditions of its own,
//     both sets of conditions can't be combined, and every use of the call notifies.
//   - If base does so only under conditions, the uses that meet them notify.
//
// notify fails if base refuses the call under conditions.
func (m *merger) notify(
	c *callRules, notification specs.LinuxSyscall, permissions ...specs.LinuxSyscall,
) error {
	if c.refused != nil {
		return nil
	}
	if len(c.refusedIf) > 0 {
		return cannotCombine(c.refusedIf[0], c.name)
	}
	if c.permitted == nil && !permits(m.base.DefaultAction) {
		c.permissionsNotify = true
		return nil
	}
	conflicts := func(r specs.LinuxSyscall) bool {
		return !c.mayStayIn(r) && !sameEffect(r, notification)
	}
	// A rule without conditions swallows the permissions with conditions, so those
	// matter only beside the default action.
	if slices.ContainsFunc(c.notified, conflicts) ||
		c.permitted == nil && slices.ContainsFunc(c.permittedIf, conflicts) {
		m.add(c, rule(specs.ActNotify, c.name))
		return nil
	}
	for _, r := range append([]specs.LinuxSyscall{notification}, permissions...) {
		m.add(c, r)
	}
	return nil
}

// planSetsockopt refuses the socket options that bind a port.
func (m *merger) planSetsockopt() error {
	var refusals []specs.LinuxSyscall
	for _, option := range bindingOptions {
		refusals = append(refusals, refusal(uint(unix.EPERM), "setsockopt", option.args()...))
	}
	return m.refuseSome("setsockopt", refusals, otherOptions())
}

// planSeccomp refuses a target that wants a seccomp listener of its own. The kernel
// does so, too, but only while the supervisor holds its notify fd: once the supervisor
// is killed, the target could load a filter with a listener. Of two filters that both
// notify the kernel asks the listener of the newer one, which could let every bind
// through.
func (m *merger) planSeccomp() error {
	const flag = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	withListener, without := intArg(1, flag, flag), intArg(1, flag, 0)
	return m.refuseSome("seccomp",
		[]specs.LinuxSyscall{refusal(uint(unix.EBUSY), "seccomp", withListener)},
		[][]specs.LinuxSeccompArg{{without}})
}

// refuseSome adds rules that refuse some uses of a call, where base lets the call
// through. At least one of the conditions in rest holds for every other use, and none
// of them holds for a refused use: under these the call stays permitted.
//
// refuseSome fails if base has a rule with conditions that can't be combined with
// refusals.
func (m *merger) refuseSome(
	name string, refusals []specs.LinuxSyscall, rest [][]specs.LinuxSeccompArg,
) error {
	c := m.calls[name]
	c.mayStayIn = func(r specs.LinuxSyscall) bool {
		return c.refused == nil && slices.ContainsFunc(rest,
			func(args []specs.LinuxSeccompArg) bool { return slices.Equal(args, r.Args) })
	}
	if c.refused != nil {
		return nil
	}
	for _, r := range c.permittedIf {
		if !c.mayStayIn(r) {
			return cannotCombine(r, c.name)
		}
	}
	if c.permitted == nil && !permits(m.base.DefaultAction) {
		return nil
	}
	if c.permitted != nil && len(c.refusedIf) > 0 {
		return cannotCombine(c.refusedIf[0], c.name)
	}
	for _, r := range refusals {
		alreadyRefused := slices.ContainsFunc(c.refusedIf,
			func(other specs.LinuxSyscall) bool { return slices.Equal(other.Args, r.Args) })
		if !m.isDefault(r) && !alreadyRefused {
			m.add(c, r)
		}
	}
	if c.permitted != nil && !m.isDefault(*c.permitted) {
		for _, args := range rest {
			m.add(c, ruleLike(*c.permitted, c.name, args...))
		}
	}
	return nil
}

// planIOUring makes the calls of io_uring fail as if the kernel did not have them,
// where base lets them through. One rule names them all.
func (m *merger) planIOUring() error {
	refused := refusal(uint(unix.ENOSYS), "")
	refused.Names = nil
	for _, name := range ioUring {
		c := m.calls[name]
		if c == nil || c.refused != nil || m.isDefault(refused) {
			continue
		}
		// Not a call that the default refuses already: naming it could raise the highest
		// call that the profile names, above which runc answers ENOSYS.
		if permits(m.base.DefaultAction) || c.permitted != nil || len(c.permittedIf) > 0 {
			if len(c.refusedIf) > 0 {
				return cannotCombine(c.refusedIf[0], name)
			}
			refused.Names = append(refused.Names, name)
		}
	}
	if len(refused.Names) > 0 {
		m.added = append(m.added, refused)
	}
	return nil
}

func cannotCombine(r specs.LinuxSyscall, name string) error {
	return fmt.Errorf("its rule %s for %q with conditions %v can't be combined with the filter; "+
		"remove the rule or its conditions", r.Action, name, r.Args)
}
