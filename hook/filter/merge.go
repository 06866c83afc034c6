package filter

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// ErrForeignListener: the profile already sends its notifications to another
// supervisor, and a filter has only one.
var ErrForeignListener = errors.New("the profile has a seccomp listener that is not ours")

// Merge returns base with our rules, or Profile for no base. What base refuses
// stays refused and what it allows stays allowed, but for the calls that bind a
// port. Merging twice changes nothing; base is never changed.
//
// It fails with ErrForeignListener, and where rules of base can't be combined
// with ours: libseccomp ORs the rules of one call, lets one without conditions
// swallow those with, and gives no order to two that both match.
func Merge(base *specs.LinuxSeccomp, o Options) (*specs.LinuxSeccomp, error) {
	if base == nil {
		return Profile(o), nil
	}
	merged := *base
	if err := mergeListener(&merged, o); err != nil {
		return nil, err
	}
	merged.Architectures = slices.Clone(base.Architectures)
	if len(merged.Architectures) == 0 {
		merged.Architectures = slices.Clone(architectures[runtime.GOARCH])
	}
	merged.Flags = slices.Clone(base.Flags)
	for _, flag := range o.Flags {
		if !slices.Contains(merged.Flags, flag) {
			merged.Flags = append(merged.Flags, flag)
		}
	}
	rules, err := mergeRules(base)
	if err != nil {
		return nil, fmt.Errorf("merge into a seccomp profile: %w", err)
	}
	merged.Syscalls = rules
	merged.DefaultErrnoRet = clonePointer(base.DefaultErrnoRet)
	return &merged, nil
}

func mergeListener(merged *specs.LinuxSeccomp, o Options) error {
	if merged.ListenerPath != "" && merged.ListenerPath != o.ListenerPath {
		return fmt.Errorf("%w: listenerPath is %q, ours is %q; use a profile without one", ErrForeignListener, merged.ListenerPath, o.ListenerPath)
	}
	if merged.ListenerMetadata != "" && o.ListenerMetadata != "" && merged.ListenerMetadata != o.ListenerMetadata {
		return fmt.Errorf("merge into a seccomp profile: its listenerMetadata %q is not ours, %q; use a profile without any", merged.ListenerMetadata, o.ListenerMetadata)
	}
	merged.ListenerPath = o.ListenerPath
	if o.ListenerMetadata != "" {
		merged.ListenerMetadata = o.ListenerMetadata
	}
	return nil
}

// mergeRules puts our rules in front: of two conditions that libseccomp ranks
// alike the first is asked first, and it takes a wider rule before a narrower
// one of another action, but not after it.
func mergeRules(base *specs.LinuxSeccomp) ([]specs.LinuxSyscall, error) {
	m := &merger{base: base, calls: map[string]*call{}}
	if err := m.read(); err != nil {
		return nil, err
	}
	for _, plan := range []func() error{m.socketcall, m.bind, m.listen, m.setsockopt, m.seccomp, m.ioUring} {
		if err := plan(); err != nil {
			return nil, err
		}
	}
	return append(m.ours, m.theirs()...), nil
}

// A call is what the profile says of one of the calls that we filter.
type call struct {
	name string
	// refused and permitted are its first rules without conditions.
	refused, permitted *specs.LinuxSyscall
	// The rules with conditions; notified also those without.
	refusedIf, permittedIf, notified []specs.LinuxSyscall
	// keeps says which rules that don't refuse may keep the call.
	keeps func(specs.LinuxSyscall) bool
	// notifies makes a notification of what else would have lost it.
	notifies bool
}

type merger struct {
	base  *specs.LinuxSeccomp
	calls map[string]*call
	ours  []specs.LinuxSyscall
}

func (m *merger) read() error {
	for _, name := range slices.Concat([]string{"bind", "listen", "setsockopt", "seccomp", "socketcall"}, ioUring) {
		m.calls[name] = &call{name: name, keeps: func(specs.LinuxSyscall) bool { return false }}
	}
	if !permits(m.base.DefaultAction) && !refuses(m.base.DefaultAction) {
		return fmt.Errorf("its defaultAction is %q, which can neither allow nor refuse", m.base.DefaultAction)
	}
	for i := range m.base.Syscalls {
		for _, name := range m.base.Syscalls[i].Names {
			if err := m.readRule(name, &m.base.Syscalls[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *merger) readRule(name string, r *specs.LinuxSyscall) error {
	c := m.calls[name]
	notifies := r.Action == specs.ActNotify
	switch {
	case notifies && !slices.Contains([]string{"bind", "listen", "socketcall"}, name):
		return fmt.Errorf("it has %s of its own for %q, which our supervisor would not know; take that rule out", r.Action, name)
	case !notifies && !permits(r.Action) && !refuses(r.Action):
		return fmt.Errorf("action %q of the rule for %q is unknown", r.Action, name)
	case c == nil:
	case notifies:
		c.notified = append(c.notified, *r)
	case len(r.Args) > 0 && refuses(r.Action):
		c.refusedIf = append(c.refusedIf, *r)
	case len(r.Args) > 0:
		c.permittedIf = append(c.permittedIf, *r)
	case refuses(r.Action) && c.refused == nil:
		c.refused = r
	case permits(r.Action) && c.permitted == nil:
		c.permitted = r
	}
	return nil
}

// want adds a rule of ours, unless base has it already.
func (m *merger) want(c *call, wanted specs.LinuxSyscall) {
	keeps := c.keeps
	c.keeps = func(r specs.LinuxSyscall) bool { return keeps(r) || sameEffect(r, wanted) }
	for _, r := range m.base.Syscalls {
		if slices.Contains(r.Names, c.name) && sameEffect(r, wanted) {
			return
		}
	}
	m.ours = append(m.ours, wanted)
}

// theirs are the rules of base, in order, without the calls that are now ours.
func (m *merger) theirs() []specs.LinuxSyscall {
	var rules []specs.LinuxSyscall
	for _, r := range m.base.Syscalls {
		kept := cloneRule(r)
		kept.Names = nil
		notified := specs.LinuxSyscall{Action: specs.ActNotify, Args: slices.Clone(r.Args)}
		for _, name := range r.Names {
			switch c := m.calls[name]; {
			case c == nil || refuses(r.Action) || c.keeps(r) || c.notifies && r.Action == specs.ActNotify:
				kept.Names = append(kept.Names, name)
			case c.notifies:
				notified.Names = append(notified.Names, name)
			}
		}
		for _, r := range []specs.LinuxSyscall{kept, notified} {
			if len(r.Names) > 0 {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

// isDefault: libseccomp takes no rule that does what the default does.
func (m *merger) isDefault(r specs.LinuxSyscall) bool {
	return sameEffect(r, specs.LinuxSyscall{Action: m.base.DefaultAction, ErrnoRet: m.base.DefaultErrnoRet, Args: r.Args})
}
