package confine

import (
	"errors"
	"fmt"

	seccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// LoadFilter sets no_new_privs and puts every thread of the process, and
// whatever it starts, under the list of calls that an agent makes. It comes
// last, before the first container is served.
//
// Any other call is answered by ENOSYS and written to the kernel's audit log.
// To be killed would fail closed, too, but all containers would lose their
// ports at the first call that a new libc or Go runtime makes; and those know
// how to go on without a call that the kernel does not have, which they do not
// after EPERM.
func LoadFilter() error {
	filter, err := newFilter()
	if err != nil {
		return err
	}
	defer filter.Release()
	if err := filter.Load(); err != nil {
		return fmt.Errorf("load the agent's own seccomp filter: %w", err)
	}
	return nil
}

func newFilter() (*seccomp.ScmpFilter, error) {
	// One architecture: calls of another are a way around the arguments' rules.
	filter, err := seccomp.NewFilter(seccomp.ActErrno.SetReturnCode(int16(unix.ENOSYS)))
	if err != nil {
		return nil, fmt.Errorf("make the agent's own seccomp filter: %w", err)
	}
	// All threads: NewFilter asks for SECCOMP_FILTER_FLAG_TSYNC.
	if err := errors.Join(filter.SetBadArchAction(seccomp.ActKillProcess), filter.SetNoNewPrivsBit(true)); err != nil {
		return nil, fmt.Errorf("set up the agent's own seccomp filter: %w", err)
	}
	// Both only help: libseccomp before 2.5, or a kernel before 4.14, has them not.
	_ = filter.SetLogBit(true)
	_ = filter.SetOptimize(2) // a binary tree

	for _, r := range append(rules(), plainRules()...) {
		number, err := seccomp.GetSyscallFromName(r.name)
		if err != nil {
			continue // this libseccomp, or this architecture, has it not
		}
		conditions := make([]seccomp.ScmpCondition, len(r.when))
		for i, a := range r.when {
			if conditions[i], err = seccomp.MakeCondition(a.index, seccomp.CompareMaskedEqual, a.mask, a.value); err != nil {
				return nil, fmt.Errorf("allow %s to the agent: %w", r.name, err)
			}
		}
		if err := filter.AddRuleConditional(number, seccomp.ActAllow, conditions); err != nil {
			return nil, fmt.Errorf("allow %s to the agent: %w", r.name, err)
		}
	}
	return filter, nil
}
