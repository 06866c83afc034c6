package nri

import (
	"fmt"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// usualCapabilities are those of a container that asks for none: a plugin isn't
// shown which a container has. Some calls of the default profile go with others.
var usualCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// defaultProfile is what stands in for RuntimeDefault, which a policy set by NRI
// replaces: the profile that Docker's, containerd's and CRI-O's come from.
func defaultProfile() (*specs.LinuxSeccomp, error) {
	profile, err := seccomp.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: usualCapabilities}}})
	if err != nil {
		return nil, fmt.Errorf("make the default seccomp profile: %w", err)
	}
	return profile, nil
}
