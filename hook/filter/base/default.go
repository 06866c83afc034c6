package base

import (
	"fmt"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// usualCapabilities are the capabilities of a container that asks for none. The
// default profile allows some calls only with certain capabilities, and those of the
// container are not known here.
var usualCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP",
	"CAP_SETUID", "CAP_SYS_CHROOT",
}

// Default returns a profile to take the place of RuntimeDefault, for the architecture and
// the kernel of this machine. The default profiles of Docker, containerd and CRI-O come
// from this one.
func Default() (*specs.LinuxSeccomp, error) {
	profile, err := seccomp.GetDefaultProfile(&specs.Spec{Process: &specs.Process{
		Capabilities: &specs.LinuxCapabilities{Bounding: usualCapabilities},
	}})
	if err != nil {
		return nil, fmt.Errorf("make the default seccomp profile: %w", err)
	}
	return profile, nil
}
