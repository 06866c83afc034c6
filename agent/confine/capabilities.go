// Package confine takes from the agent's process what an agent does not need:
// capabilities, new privileges and system calls. An attacker who took the agent
// over could use only what is left.
package confine

import (
	"fmt"
	"slices"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// forAgent are the capabilities that an agent itself must have in its permitted set, and no
// more. They are effective only where the comments here say so.
var forAgent = []cap.Value{
	// To look into targets: pidfd_getfd(2), process_vm_readv(2), kcmp(2), and the
	// links in /proc/PID. Effective in the worker threads.
	cap.SYS_PTRACE,

	// To take a uid that owns nothing. Effective for a moment in a new worker thread.
	cap.SETUID,

	// To look on what containers listen. Effective in a thread that looks.
	cap.DAC_OVERRIDE,
}

// forHelpers are the capabilities that helper processes must have in their permitted set.
var forHelpers = []cap.Value{
	// To take on the target's identity: its ids and groups, its root, and the uid that owns
	// its user namespace, which may enter the namespace without CAP_SYS_ADMIN.
	cap.SETUID, cap.SETGID, cap.SYS_CHROOT,

	// To keep them if the target has them too. They permit ports below
	// ip_unprivileged_port_start, netlink groups, and AF_UNIX paths in other users'
	// directories.
	cap.NET_BIND_SERVICE, cap.NET_ADMIN, cap.DAC_OVERRIDE,
}

// kept are those of both. The unit in deploy/systemd grants the same ones.
var kept = slices.Compact(slices.Sorted(slices.Values(slices.Concat(forAgent, forHelpers))))

// Capabilities returns the capabilities that an agent must have in its permitted set.
func Capabilities() []cap.Value { return slices.Clone(kept) }

// DropCapabilities drops all capabilities of every thread, except that those of
// Capabilities stay permitted if they were. It empties the effective, inheritable
// and ambient sets, and drops the others from the bounding set if it has
// CAP_SETPCAP. It returns the capabilities that are left, as text.
//
// DropCapabilities must be called before agent.NewSupervisor, whose threads raise
// the capabilities that they work with.
func DropCapabilities() (remaining string, err error) {
	had := cap.GetProc()
	// Without CAP_SETPCAP the bounding set stays as it is. It bounds what a process
	// gains by execve(2), which no_new_privs and the filter both rule out.
	if dropsBounds, err := had.GetFlag(cap.Effective, cap.SETPCAP); err != nil {
		return "", fmt.Errorf("read the agent's capabilities: %w", err)
	} else if dropsBounds {
		if err := cap.DropBound(others()...); err != nil {
			return "", fmt.Errorf("drop capabilities from the bounding set: %w", err)
		}
	}
	if err := cap.ResetAmbient(); err != nil {
		return "", fmt.Errorf("drop the ambient capabilities: %w", err)
	}
	left, err := keepPermitted(had, kept)
	if err != nil {
		return "", fmt.Errorf("drop the capabilities that an agent does not need: %w", err)
	}
	return left.String(), nil
}

// keepPermitted makes the values permitted in every thread that are so in had, and no other one.
func keepPermitted(had *cap.Set, values []cap.Value) (left *cap.Set, err error) {
	left = cap.NewSet()
	for _, value := range values {
		permitted, err := had.GetFlag(cap.Permitted, value)
		if err == nil {
			err = left.SetFlag(cap.Permitted, permitted, value)
		}
		if err != nil {
			return nil, fmt.Errorf("keep %s: %w", value, err)
		}
	}
	return left, left.SetProc()
}

// others returns the capabilities in the bounding set that are not kept.
func others() (values []cap.Value) {
	keep := map[cap.Value]bool{}
	for _, value := range kept {
		keep[value] = true
	}
	for value := range cap.MaxBits() {
		if in, err := cap.GetBound(value); err == nil && in && !keep[value] {
			values = append(values, value)
		}
	}
	return values
}
