package start

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/port-restricter/port-restricter/config"
)

// lackingPrivilege returns a message if the policy allows ports that the kernel will not let
// the command have, and else "". The supervisor lends the command no privilege, so such a
// bind fails as it would without port-restricter.
func lackingPrivilege(policy config.Policy) string {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil {
		return ""
	}
	start, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return ""
	}
	ports := policy.Below(start)
	if len(ports) == 0 || bindsPrivilegedPorts() {
		return ""
	}
	return fmt.Sprintf("a bind to %s takes CAP_NET_BIND_SERVICE, which the command does not have: "+
		"in a systemd unit, set AmbientCapabilities=CAP_NET_BIND_SERVICE; or setcap "+
		"cap_net_bind_service=ep on port-restricter (on the command it does not count); "+
		"or map the port, as in --map 80:8080 -p 8080", strings.Join(ports, ","))
}

// bindsPrivilegedPorts reports whether this process has CAP_NET_BIND_SERVICE in the user
// namespace that owns its network namespace.
func bindsPrivilegedPorts() bool {
	has, err := cap.GetProc().GetFlag(cap.Permitted, cap.NET_BIND_SERVICE)
	if err != nil || !has {
		return false
	}
	network, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return true // nothing speaks against it
	}
	defer network.Close()
	owner, err := unix.IoctlRetInt(int(network.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return false // an ancestor of this process's user namespace
	}
	defer unix.Close(owner)
	var its, ours unix.Stat_t
	return unix.Fstat(owner, &its) != nil || unix.Stat("/proc/self/ns/user", &ours) != nil ||
		its.Ino == ours.Ino
}
