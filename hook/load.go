package hook

import (
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/runc/libcontainer/seccomp"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Load puts the calling thread, and what it starts, under p and returns the
// notify fd (close-on-exec), seccomp_unotify(2). The caller has locked the thread
// to its goroutine and set no_new_privs. Where the kernel is too old for
// WAIT_KILLABLE_RECV (5.19), p is loaded without: a signal can then interrupt a
// bind with an EINTR that the bare kernel doesn't give.
func Load(p *specs.LinuxSeccomp) (fd int, err error) {
	const flag = specs.LinuxSeccompFlagWaitKillableRecv
	if slices.Contains(p.Flags, flag) && seccomp.FlagSupported(flag) != nil {
		if kernelWaitsKillable() {
			return loadWaitKillable(p)
		}
		without := *p
		without.Flags = slices.DeleteFunc(slices.Clone(p.Flags), func(f specs.LinuxSeccompFlag) bool { return f == flag })
		p = &without
	}
	return loadPortable(p)
}

// loadPortable has runc's own code load the filter.
func loadPortable(p *specs.LinuxSeccomp) (int, error) {
	config, err := specconv.SetupSeccomp(p)
	if err != nil {
		return -1, fmt.Errorf("read the seccomp profile: %w", err)
	}
	fd, err := seccomp.InitSeccomp(config)
	if err != nil {
		return -1, fmt.Errorf("load the seccomp filter (needs libseccomp 2.5 and Linux 5.7): %w", err)
	}
	if fd < 0 {
		return -1, errors.New("load the seccomp filter: the profile notifies of nothing, so it has no notify fd")
	}
	return fd, nil
}
