// Package confine takes from the agent's process what an agent does not need:
// capabilities, new privileges, system calls. What somebody who took the agent
// over could do with it is what is left.
package confine

import (
	"fmt"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// Kept is what an agent needs to hold permitted, and no more; the unit in
// init/ gives it the same. None is effective but where the comment says so.
var Kept = []cap.Value{
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

// DropCapabilities leaves every thread with Kept permitted, as far as it was,
// and everything else empty. It returns what is left, as text. It comes before
// agent.NewEngine, whose threads raise what they work with.
func DropCapabilities() (left string, err error) {
	had, kept := cap.GetProc(), cap.NewSet()
	// Without CAP_SETPCAP the bounding set stays as it is. It bounds what
	// execve(2) gains, which no_new_privs and the filter both rule out.
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
	for _, value := range Kept {
		permitted, err := had.GetFlag(cap.Permitted, value)
		if err == nil {
			err = kept.SetFlag(cap.Permitted, permitted, value)
		}
		if err != nil {
			return "", fmt.Errorf("keep %s: %w", value, err)
		}
	}
	if err := kept.SetProc(); err != nil {
		return "", fmt.Errorf("drop the capabilities that an agent does not need: %w", err)
	}
	return kept.String(), nil
}

// others are all capabilities of this kernel that are not Kept and stand in
// the bounding set.
func others() (values []cap.Value) {
	keep := map[cap.Value]bool{}
	for _, value := range Kept {
		keep[value] = true
	}
	for value := range cap.MaxBits() {
		if in, err := cap.GetBound(value); err == nil && in && !keep[value] {
			values = append(values, value)
		}
	}
	return values
}
