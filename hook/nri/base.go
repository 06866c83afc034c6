package nri

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/nri/pkg/api"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/hook/filter/base"
)

// eperm is the errno that an OCI runtime takes for a profile without a
// defaultErrnoRet. NRI's generator drops that field, so any value of it becomes eperm.
const eperm = 1

// base returns the profile to merge the filter into, or nil for an unconfined
// container.
func (p *Plugin) base(c *api.Container) (*specs.LinuxSeccomp, error) {
	if shown := c.GetLinux().GetSeccompPolicy(); shown != nil {
		return toOCI(shown), nil
	}
	wanted := c.GetLinux().GetSeccompProfile()
	switch {
	case p.showsPolicies,
		wanted != nil && wanted.GetProfileType() == api.SecurityProfile_UNCONFINED:
		return nil, nil
	case wanted.GetProfileType() == api.SecurityProfile_LOCALHOST:
		return nil, fmt.Errorf("the engine does not show plugins the seccomp profile %s,"+
			" so the filter would replace the profile: put the filter into the profile instead,"+
			" with port-restricter profile --base FILE", wanted.GetLocalhostRef())
	}
	// RuntimeDefault, which the engine does not show and which the filter replaces. A
	// privileged container can't be told from others here. The default profile is too
	// strict for it.
	return base.Default()
}

// showsPolicies reports whether an engine shows plugins a container's own seccomp
// policy. containerd does since version 2.3.
func showsPolicies(engine, version string) bool {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	first, err := strconv.Atoi(major)
	if engine != "containerd" || err != nil {
		return false
	}
	second, err := strconv.Atoi(minor)
	return err == nil && (first > 2 || first == 2 && second >= 3)
}

// toOCI converts a policy of NRI to an OCI profile. Package api has that only for the
// system calls in it.
func toOCI(shown *api.LinuxSeccomp) *specs.LinuxSeccomp {
	p := &specs.LinuxSeccomp{
		DefaultAction:    specs.LinuxSeccompAction(shown.GetDefaultAction()),
		ListenerPath:     shown.GetListenerPath(),
		ListenerMetadata: shown.GetListenerMetadata(),
		Syscalls:         api.ToOCILinuxSyscalls(shown.GetSyscalls()),
	}
	if errno := shown.GetDefaultErrno(); errno != nil {
		p.DefaultErrnoRet = new(uint(errno.GetValue()))
	}
	for _, arch := range shown.GetArchitectures() {
		p.Architectures = append(p.Architectures, specs.Arch(arch))
	}
	for _, flag := range shown.GetFlags() {
		p.Flags = append(p.Flags, specs.LinuxSeccompFlag(flag))
	}
	return p
}
