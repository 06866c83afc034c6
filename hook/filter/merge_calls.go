package filter

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func (m *merger) bind() error {
	c := m.calls["bind"]
	// What is too short for a port may be let through.
	short := []specs.LinuxSeccompArg{arg(2, specs.OpLessThan, shortestAddress)}
	c.keeps = func(r specs.LinuxSyscall) bool {
		return c.refused == nil && permits(r.Action) && slices.Equal(r.Args, short)
	}
	ours := []specs.LinuxSyscall{rule(specs.ActNotify, c.name, arg(2, specs.OpGreaterEqual, shortestAddress))}
	if c.permitted != nil && !m.isDefault(*c.permitted) {
		ours = append(ours, like(*c.permitted, c.name, short...))
	}
	return m.notify(c, ours)
}

func (m *merger) listen() error {
	c := m.calls["listen"]
	return m.notify(c, []specs.LinuxSyscall{rule(specs.ActNotify, c.name)})
}

// notify wants ours, the first of which notifies, where base lets the call
// through without conditions. Where it has conditions, what meets them is
// notified; where it has both, everything.
func (m *merger) notify(c *call, ours []specs.LinuxSyscall) error {
	if c.refused != nil {
		return nil
	}
	if len(c.refusedIf) > 0 {
		return cannotCombine(c.refusedIf[0], c.name)
	}
	if c.permitted == nil && !permits(m.base.DefaultAction) {
		c.notifies = true
		return nil
	}
	other := func(r specs.LinuxSyscall) bool { return !c.keeps(r) && !sameEffect(r, ours[0]) }
	if slices.ContainsFunc(c.notified, other) || c.permitted == nil && slices.ContainsFunc(c.permittedIf, other) {
		ours = []specs.LinuxSyscall{rule(specs.ActNotify, c.name)}
	}
	for _, r := range ours {
		m.want(c, r)
	}
	return nil
}

func (m *merger) setsockopt() error {
	var refused []specs.LinuxSyscall
	for _, option := range bindingOptions {
		refused = append(refused, refusal(uint(unix.EPERM), "setsockopt", option.args()...))
	}
	return m.except("setsockopt", refused, otherOptions())
}

// seccomp refuses the target a listener of its own, as the kernel does while
// ours is there. Once the supervisor is killed the kernel would not any more,
// and of two filters that both notify it asks the newer one's listener, which
// could let every bind through.
func (m *merger) seccomp() error {
	listener := intArg(1, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	none := intArg(1, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, 0)
	return m.except("seccomp", []specs.LinuxSyscall{refusal(uint(unix.EBUSY), "seccomp", listener)}, [][]specs.LinuxSeccompArg{{none}})
}

// except wants the call refused where base lets it through; others are
// conditions that hold for the rest of its uses.
func (m *merger) except(name string, refused []specs.LinuxSyscall, others [][]specs.LinuxSeccompArg) error {
	c := m.calls[name]
	c.keeps = func(r specs.LinuxSyscall) bool {
		return c.refused == nil && slices.ContainsFunc(others, func(args []specs.LinuxSeccompArg) bool { return slices.Equal(args, r.Args) })
	}
	if c.refused != nil {
		return nil
	}
	for _, r := range c.permittedIf {
		if !c.keeps(r) {
			return cannotCombine(r, c.name)
		}
	}
	if c.permitted == nil && !permits(m.base.DefaultAction) {
		return nil
	}
	if c.permitted != nil && len(c.refusedIf) > 0 {
		return cannotCombine(c.refusedIf[0], c.name)
	}
	for _, r := range refused {
		already := func(other specs.LinuxSyscall) bool { return slices.Equal(other.Args, r.Args) }
		if !m.isDefault(r) && !slices.ContainsFunc(c.refusedIf, already) {
			m.want(c, r)
		}
	}
	if c.permitted != nil && !m.isDefault(*c.permitted) {
		for _, args := range others {
			m.want(c, like(*c.permitted, c.name, args...))
		}
	}
	return nil
}

func (m *merger) ioUring() error {
	refused := refusal(uint(unix.ENOSYS), "")
	refused.Names = nil
	for _, name := range ioUring {
		c := m.calls[name]
		if c == nil || c.refused != nil || m.isDefault(refused) {
			continue
		}
		// What the default refuses is not named: runc answers ENOSYS for every
		// call above the highest that a profile names.
		if permits(m.base.DefaultAction) || c.permitted != nil || len(c.permittedIf) > 0 {
			if len(c.refusedIf) > 0 {
				return cannotCombine(c.refusedIf[0], name)
			}
			refused.Names = append(refused.Names, name)
		}
	}
	if len(refused.Names) > 0 {
		m.ours = append(m.ours, refused)
	}
	return nil
}

func cannotCombine(r specs.LinuxSyscall, name string) error {
	return fmt.Errorf("its rule %s for %q has conditions %v, which can't be combined with ours; take them out", r.Action, name, r.Args)
}
