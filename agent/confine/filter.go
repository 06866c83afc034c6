package confine

import (
	"errors"
	"fmt"

	seccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// LoadFilter sets no_new_privs and puts every thread of the process under a seccomp
// filter that allows only the system calls that an agent makes. Threads and
// processes that are started later inherit the filter. LoadFilter must be the last
// step before the first container is served.
//
// The filter answers any other call with ENOSYS, and the kernel writes the call to
// the audit log. Killing the process would fail closed too. But then the first call
// that a new libc or Go runtime makes would cost all containers their ports. A
// libc or a Go runtime can do without a call that fails with ENOSYS, but not without
// one that fails with EPERM.
//
// The filter allows sendmsg(2) on the fds sendTo: the connection to the service manager, and the
// one to the process that starts helpers; -1 is none.
func LoadFilter(sendTo ...int) error {
	allow := func() (*seccomp.ScmpFilter, error) { return allowListed(list(sendTo)) }
	for _, make := range []func() (*seccomp.ScmpFilter, error){refuseClone3, allow} {
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

// newFilter returns a filter that answers a call without a rule by unlisted. Loading
// it affects all threads: seccomp.NewFilter asks for SECCOMP_FILTER_FLAG_TSYNC.
func newFilter(unlisted seccomp.ScmpAction) (*seccomp.ScmpFilter, error) {
	filter, err := seccomp.NewFilter(unlisted)
	if err != nil {
		return nil, err
	}
	// The native architecture only: calls of another one would pass the rules about
	// arguments.
	return filter, errors.Join(
		filter.SetBadArchAction(seccomp.ActKillProcess), filter.SetNoNewPrivsBit(true))
}

// refuseClone3 returns a filter that refuses clone3 only. The flags of clone3 are in
// memory, where no filter can check them. libc tries clone3 for every thread and
// falls back to clone. This is a filter of its own so that it logs nothing.
func refuseClone3() (*seccomp.ScmpFilter, error) {
	filter, err := newFilter(seccomp.ActAllow)
	if err != nil {
		return nil, err
	}
	number, err := seccomp.GetSyscallFromName(clone3)
	if err != nil {
		return filter, nil // libseccomp before 2.5; allowListed then does not allow clone3 either
	}
	return filter, filter.AddRule(number, noSuchCall)
}

// allowListed returns a filter that allows the calls of a list and refuses and logs
// all others.
func allowListed(list []rule) (*seccomp.ScmpFilter, error) {
	filter, err := newFilter(noSuchCall)
	if err != nil {
		return nil, err
	}
	// The filter works without either of the two, which libseccomp before 2.5 or a
	// kernel before 4.14 does not have.
	_ = filter.SetLogBit(true)
	_ = filter.SetOptimize(2) // a binary tree

	for _, r := range list {
		number, err := seccomp.GetSyscallFromName(r.name)
		if err != nil {
			continue // this libseccomp or this architecture does not have the call
		}
		conditions := make([]seccomp.ScmpCondition, len(r.when))
		for i, c := range r.when {
			conditions[i], err = seccomp.MakeCondition(
				c.argument, seccomp.CompareMaskedEqual, c.mask, c.value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
		}
		if err := filter.AddRuleConditional(number, seccomp.ActAllow, conditions); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return filter, nil
}
