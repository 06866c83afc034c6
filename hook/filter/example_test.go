package filter_test

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/hook/filter"
)

// The base allows bind and listen by default, so the merged profile has rules that
// notify. A bind of a shorter address than any internet address is still allowed by
// default.
func ExampleMerge() {
	base := &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"mount", "umount2"}, Action: specs.ActErrno},
		},
	}
	options := filter.Options{ListenerPath: "/run/port-restricter/agent.sock"}
	merged, err := filter.Merge(base, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("listenerPath", merged.ListenerPath)
	printRules(merged, "bind", "listen", "mount")
	// Output:
	// listenerPath /run/port-restricter/agent.sock
	// bind: SCMP_ACT_NOTIFY if argument 2 SCMP_CMP_GE 16
	// listen: SCMP_ACT_NOTIFY
	// mount: SCMP_ACT_ERRNO
}

// The base refuses by default, and allows bind by name. A rule without conditions would
// swallow the one that notifies, so bind is taken out of that rule. A rule for short
// addresses takes its place. Listen needs no rule, since the base refuses it.
func ExampleMerge_allowedByName() {
	base := &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno,
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"bind", "connect"}, Action: specs.ActAllow},
		},
	}
	merged, err := filter.Merge(base, filter.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	printRules(merged, "bind", "listen", "connect")
	// Output:
	// bind: SCMP_ACT_NOTIFY if argument 2 SCMP_CMP_GE 16
	// bind: SCMP_ACT_ALLOW if argument 2 SCMP_CMP_LT 16
	// connect: SCMP_ACT_ALLOW
}

// A filter has one listener, so a base that sends notifications to another supervisor
// can't be merged into.
func ExampleMerge_foreignListener() {
	base := &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		ListenerPath:  "/run/another-supervisor.sock",
	}
	options := filter.Options{ListenerPath: "/run/port-restricter/agent.sock"}
	_, err := filter.Merge(base, options)
	fmt.Println(errors.Is(err, filter.ErrForeignListener))
	// Output:
	// true
}

// The profile of the filter alone allows every call that it has no rule for.
func ExampleProfile() {
	profile := filter.Profile(filter.Options{})
	fmt.Println("by default:", profile.DefaultAction)
	printRules(profile, "bind", "listen", "seccomp", "io_uring_setup")
	// Output:
	// by default: SCMP_ACT_ALLOW
	// bind: SCMP_ACT_NOTIFY if argument 2 SCMP_CMP_GE 16
	// listen: SCMP_ACT_NOTIFY
	// seccomp: SCMP_ACT_ERRNO if argument 1 SCMP_CMP_MASKED_EQ 8
	// io_uring_setup: SCMP_ACT_ERRNO
}

// printRules prints the rules for the named calls, in the order of the profile.
func printRules(profile *specs.LinuxSeccomp, calls ...string) {
	wanted := map[string]bool{}
	for _, call := range calls {
		wanted[call] = true
	}
	for _, rule := range profile.Syscalls {
		for _, name := range rule.Names {
			if !wanted[name] {
				continue
			}
			fmt.Printf("%s: %s", name, rule.Action)
			for _, condition := range rule.Args {
				fmt.Printf(" if argument %d %s %d", condition.Index, condition.Op, condition.Value)
			}
			fmt.Println()
		}
	}
}
