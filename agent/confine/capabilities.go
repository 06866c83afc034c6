// Package confine takes from the agent's process what an agent does not need:
// capabilities, new privileges, system calls. What somebody who took the agent
// over could do with it is what is left.
package confine

import (
	"fmt"
	"slices"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// kept are the capabilities that an agent needs to hold permitted, and no more. The
// unit in deploy/systemd gives it the same ones. Each is effective only where its
// comment says so.
var kept = []cap.Value{
	// Look into targets: pidfd_getfd(2), process_vm_readv(2), kcmp(2), and the
	// links in /proc/PID. Effective in the worker threads.
	cap.SYS_PTRACE,

	// Become the target in a helper process: its ids and groups, the owner of
	// its user namespace (who may enter it without CAP_SYS_ADMIN), its root.
	cap.SETUID, cap.SETGID, cap.SYS_CHROOT,

	// Hand on to the helper what the target has itself, if it has it: ports
	// below ip_unprivileged_port_start, netlink groups, and AF_UNIX paths in
	// directories of others.
	cap.NET_BIND_SERVICE, cap.NET_ADMIN, cap.DAC_OVERRIDE,
}

// Capabilities returns the capabilities that an agent needs to hold permitted.
func Capabilities() []cap.Value { return slices.Clone(kept) }

// DropCapabilities leaves every thread with those of Capabilities permitted that it
// had, and every other set empty. It returns what is left, as text. It must be
// called before agent.NewSupervisor, whose threads raise what they work with.
func DropCapabilities() (remaining string, err error) {
	had, left := cap.GetProc(), cap.NewSet()
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
	for _, value := range kept {
		permitted, err := had.GetFlag(cap.Permitted, value)
		if err == nil {
			err = left.SetFlag(cap.Permitted, permitted, value)
		}
		if err != nil {
			return "", fmt.Errorf("keep %s: %w", value, err)
		}
	}
	if err := left.SetProc(); err != nil {
		return "", fmt.Errorf("drop the capabilities that an agent does not need: %w", err)
	}
	return left.String(), nil
}

// others are all capabilities of this kernel that are not kept and are
// in the bounding set.
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
