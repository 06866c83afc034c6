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
	for _, make := range []func() (*seccomp.ScmpFilter, error){withoutClone3, listOnly} {
		filter, err := make()
		if err != nil {
			return fmt.Errorf("make the agent's own seccomp filter: %w", err)
		}
		err = filter.Load()
		filter.Release()
		if err != nil {
			return fmt.Errorf("load the agent's own seccomp filter: %w", err)
		}
	}
	return nil
}

var noSuchCall = seccomp.ActErrno.SetReturnCode(int16(unix.ENOSYS))

// newFilter is one for all threads: NewFilter asks for SECCOMP_FILTER_FLAG_TSYNC.
func newFilter(other seccomp.ScmpAction) (*seccomp.ScmpFilter, error) {
	filter, err := seccomp.NewFilter(other)
	if err != nil {
		return nil, err
	}
	// One architecture: calls of another would pass the rules about arguments.
	return filter, errors.Join(filter.SetBadArchAction(seccomp.ActKillProcess), filter.SetNoNewPrivsBit(true))
}

// withoutClone3 is a filter of its own, which logs nothing: libc tries clone3,
// whose flags stand in memory, for every thread, and goes back to clone.
func withoutClone3() (*seccomp.ScmpFilter, error) {
	filter, err := newFilter(seccomp.ActAllow)
	if err != nil {
		return nil, err
	}
	number, err := seccomp.GetSyscallFromName(clone3)
	if err != nil {
		return filter, nil // a libseccomp before 2.5: the list has it not either
	}
	return filter, filter.AddRule(number, noSuchCall)
}

func listOnly() (*seccomp.ScmpFilter, error) {
	filter, err := newFilter(noSuchCall)
	if err != nil {
		return nil, err
	}
	// Both only help: libseccomp before 2.5, or a kernel before 4.14, has them not.
	_ = filter.SetLogBit(true)
	_ = filter.SetOptimize(2) // a binary tree

	for _, r := range list() {
		number, err := seccomp.GetSyscallFromName(r.name)
		if err != nil {
			continue // this libseccomp, or this architecture, has it not
		}
		conditions := make([]seccomp.ScmpCondition, len(r.when))
		for i, a := range r.when {
			if conditions[i], err = seccomp.MakeCondition(a.index, seccomp.CompareMaskedEqual, a.mask, a.value); err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
		}
		if err := filter.AddRuleConditional(number, seccomp.ActAllow, conditions); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return filter, nil
}
