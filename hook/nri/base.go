package nri

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/nri/pkg/api"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// eperm is what a runtime takes for a missing defaultErrnoRet, and so what
// becomes of any that NRI's generator drops.
const eperm = 1

// base is the profile to merge into; nil for an unconfined container.
func (p *Plugin) base(c *api.Container) (*specs.LinuxSeccomp, error) {
	if shown := c.GetLinux().GetSeccompPolicy(); shown != nil {
		return toOCI(shown), nil
	}
	wanted := c.GetLinux().GetSeccompProfile()
	switch {
	case p.showsPolicies, wanted != nil && wanted.GetProfileType() == api.SecurityProfile_UNCONFINED:
		return nil, nil
	case wanted.GetProfileType() == api.SecurityProfile_LOCALHOST:
		return nil, fmt.Errorf("this engine doesn't show plugins the profile %s, which would be replaced; put the filter into it: port-restricter profile --base FILE", wanted.GetLocalhostRef())
	}
	// Not shown: what we set replaces RuntimeDefault. For a privileged
	// container, which can't be told from others, it is too strict.
	return defaultProfile()
}

// showsPolicies: containerd does from 2.3 on.
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
