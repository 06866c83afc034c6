package filter

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// ErrForeignListener means that a profile already sends its notifications to another
// supervisor. A filter has only one listener.
var ErrForeignListener = errors.New("the profile already has another seccomp listener")

// Merge returns base with the filter merged into it, or Profile if base is nil. What
// base refuses stays refused, and what base allows stays allowed, except for the calls
// that bind a port. The package comment says how. Merging twice changes nothing more;
// base itself is never changed.
//
// Merge fails with ErrForeignListener. It also fails for a base that has other
// listenerMetadata, unknown actions, notifications of other calls, or rules that can't
// be combined with those of the filter: libseccomp ORs the rules of one call, lets a
// rule without conditions swallow those with conditions, and gives no order to two
// rules that both match.
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

// mergeListener sets listenerPath and listenerMetadata, unless merged has others.
func mergeListener(merged *specs.LinuxSeccomp, o Options) error {
	if merged.ListenerPath != "" && merged.ListenerPath != o.ListenerPath {
		return fmt.Errorf("%w: its listenerPath is %q instead of %q; use a profile without one",
			ErrForeignListener, merged.ListenerPath, o.ListenerPath)
	}
	if merged.ListenerMetadata != "" && o.ListenerMetadata != "" &&
		merged.ListenerMetadata != o.ListenerMetadata {
		return fmt.Errorf("merge into a seccomp profile: "+
			"its listenerMetadata is %q instead of %q; use a profile without any",
			merged.ListenerMetadata, o.ListenerMetadata)
	}
	merged.ListenerPath = o.ListenerPath
	if o.ListenerMetadata != "" {
		merged.ListenerMetadata = o.ListenerMetadata
	}
	return nil
}

// mergeRules returns the rules of the merged profile: those of the filter, then those
// of base. The package comment says why in this order.
//
// socketcall is planned first: libseccomp makes from a rule for bind, listen or
// setsockopt one for socketcall, too, and accepts wider rules for socketcall only
// before that one.
func mergeRules(base *specs.LinuxSeccomp) ([]specs.LinuxSyscall, error) {
	m := &merger{base: base, calls: map[string]*callRules{}}
	if err := m.readBase(); err != nil {
		return nil, err
	}
	for _, plan := range []func() error{
		m.planSocketcall, m.planBind, m.planListen, m.planSetsockopt, m.planSeccomp, m.planIOUring,
	} {
		if err := plan(); err != nil {
			return nil, err
		}
	}
	return append(m.added, m.baseRules()...), nil
}

// A merger makes one merge. For each call of the filter a plan method adds rules to
// added, and determines which rules of the base may go on naming the call.
type merger struct {
	base  *specs.LinuxSeccomp
	calls map[string]*callRules // the calls of the filter, by name
	added []specs.LinuxSyscall
}

// A callRules is what the base profile says about one of the calls of the filter, and what
// the merge does with the rules that say so.
type callRules struct {
	name string

	// refused and permitted are the first rule without conditions that refuses the
	// call, and the first that permits it. They are nil if base has none.
	refused, permitted *specs.LinuxSyscall

	// refusedIf and permittedIf are all rules with conditions that refuse the call, or
	// permit it.
	refusedIf, permittedIf []specs.LinuxSyscall

	// notified are all rules that notify, with conditions or without.
	notified []specs.LinuxSyscall

	// mayStayIn reports whether a base rule that permits or notifies may go on naming
	// this call. It is not called for a rule that refuses: that one always may.
	mayStayIn func(specs.LinuxSyscall) bool

	// permissionsNotify is true if base lets the call through only under conditions.
	// Then base rules that permit the call become notifications with the same
	// conditions. Otherwise the call is taken out of them.
	permissionsNotify bool
}

// letsThrough reports whether base has a rule that permits the call or notifies, if
// only under conditions. It ignores the default action.
func (c *callRules) letsThrough() bool {
	return c.permitted != nil || len(c.permittedIf) > 0 || len(c.notified) > 0
}

// readBase sorts the rules of base by the calls of the filter. It fails for actions
// that are unknown, and for notifications that the supervisor can't answer.
func (m *merger) readBase() error {
	names := []string{"bind", "listen", "setsockopt", "seccomp", "socketcall"}
	for _, name := range slices.Concat(names, ioUring) {
		never := func(specs.LinuxSyscall) bool { return false }
		m.calls[name] = &callRules{name: name, mayStayIn: never}
	}
	if !permits(m.base.DefaultAction) && !refuses(m.base.DefaultAction) {
		return fmt.Errorf("its defaultAction %q neither permits nor refuses; use %s, for example",
			m.base.DefaultAction, specs.ActErrno)
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

// readRule reads what a base rule says about one of the calls that it names.
func (m *merger) readRule(name string, r *specs.LinuxSyscall) error {
	c := m.calls[name]
	notifies := r.Action == specs.ActNotify
	switch {
	case notifies && !slices.Contains([]string{"bind", "listen", "socketcall"}, name):
		return fmt.Errorf("its rule %s for %q sends notifications that the supervisor "+
			"does not know; remove that rule", r.Action, name)
	case !notifies && !permits(r.Action) && !refuses(r.Action):
		return fmt.Errorf("the action %q of its rule for %q is unknown", r.Action, name)
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

// add puts a rule of the filter for call c into the merged profile. If base has a rule
// with the same effect, then that rule stays instead.
func (m *merger) add(c *callRules, added specs.LinuxSyscall) {
	mayStayIn := c.mayStayIn
	c.mayStayIn = func(r specs.LinuxSyscall) bool { return mayStayIn(r) || sameEffect(r, added) }
	for _, r := range m.base.Syscalls {
		if slices.Contains(r.Names, c.name) && sameEffect(r, added) {
			return
		}
	}
	m.added = append(m.added, added)
}

// baseRules returns the rules of base, in order, as the merged profile has them. Each rule
// names only the calls that may stay in it. A rule whose permission becomes a notification
// is followed by a rule that notifies, with the same conditions.
func (m *merger) baseRules() []specs.LinuxSyscall {
	var rules []specs.LinuxSyscall
	for _, r := range m.base.Syscalls {
		kept := cloneRule(r)
		kept.Names = nil
		notified := specs.LinuxSyscall{Action: specs.ActNotify, Args: slices.Clone(r.Args)}
		for _, name := range r.Names {
			switch c := m.calls[name]; {
			case c == nil || refuses(r.Action) || c.mayStayIn(r) ||
				c.permissionsNotify && r.Action == specs.ActNotify:
				kept.Names = append(kept.Names, name)
			case c.permissionsNotify:
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

// isDefault reports whether a rule does what the profile does by default. libseccomp
// accepts no such rule.
func (m *merger) isDefault(r specs.LinuxSyscall) bool {
	return sameEffect(r, specs.LinuxSyscall{
		Action: m.base.DefaultAction, ErrnoRet: m.base.DefaultErrnoRet, Args: r.Args,
	})
}
