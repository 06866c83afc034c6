// Package privilege tests agents that run with the privileges of port-restricter's
// systemd unit, with fewer and with more, and checks what they can and cannot do.
package privilege

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// A place is a kind of container: in the initial user namespace, or in one of its own.
// The agent needs other privileges for each.
type place struct {
	name string
	edit func(*specs.Spec)
}

var places = []place{
	{container, func(*specs.Spec) {}},
	{userContainer, func(s *specs.Spec) {
		userNamespace := specs.LinuxNamespace{Type: specs.UserNamespace}
		s.Linux.Namespaces = append(s.Linux.Namespaces, userNamespace)
		ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
		s.Linux.UIDMappings, s.Linux.GIDMappings = ids, ids
	}},
}

const (
	container     = "container"
	userContainer = "container in a user namespace"
)

// Groups of behaviours that fail together, with their errnos.
const (
	// byHelper are the calls that a helper makes. If the helper can't take the target's
	// ids, it makes no call.
	byHelper = " path=EPERM path_as_another_user=EPERM path_of_another_user=EPERM" +
		" path_of_another_user_without_capability=EPERM netlink_group=EPERM"

	// owned are the binds in a user namespace that the process made itself.
	owned = " low_port_in_own_user_namespace=EPERM" +
		" low_port_in_namespace_of_agents_user=EPERM" +
		" low_port_there_without_capability=EPERM"

	ownedEACCES = " low_port_in_own_user_namespace=EACCES" +
		" low_port_in_namespace_of_agents_user=EACCES"

	everything = "port=EPERM undumpable=EPERM low_port=EPERM" +
		" low_port_without_capability=EPERM" + owned + byHelper
)

// without says, for each capability of the unit and each place, which behaviours end
// differently if the agent has all capabilities of the unit but that one. All other
// behaviours end as on the bare kernel.
var without = map[string]map[string]string{
	"none":       {},
	"sys_ptrace": {container: everything, userContainer: everything},
	// The agent's threads may own the namespaces that its user made. So in another user
	// namespace a helper without privileges binds. Without CAP_SETUID a helper can't
	// become the target, so what takes the target's capabilities is refused.
	"setuid": {
		container:     "low_port=EACCES low_port_in_own_user_namespace=EACCES" + byHelper,
		userContainer: "low_port=EACCES" + ownedEACCES + byHelper,
	},
	// A process with the ids of the agent itself needs no CAP_SETGID.
	"setgid": {
		container:     "low_port=EACCES low_port_in_own_user_namespace=EACCES" + byHelper,
		userContainer: "low_port=EACCES" + ownedEACCES + byHelper,
	},
	// In a user namespace, a helper gets the following capabilities by itself, if the
	// target has them.
	"sys_chroot":       {container: "low_port=EACCES" + byHelper},
	"net_bind_service": {container: "low_port=EACCES"},
	"net_admin":        {container: "netlink_group=EPERM"},
	"dac_override":     {container: "path_of_another_user=EACCES"},
}

// TestEveryCapabilityOfTheUnitIsNeeded shows what fails without each capability of the
// unit, and that nothing fails with all of them. The unit must grant no capability that
// nothing needs.
func TestEveryCapabilityOfTheUnitIsNeeded(t *testing.T) {
	capabilities, rootfs := runc.Capabilities(t), rootfs(t)
	bare := map[string]map[string]string{}
	for _, p := range places {
		bare[p.name] = behaviours(t, nil, p, rootfs)
	}
	for _, capability := range append([]string{"none"}, capabilities...) {
		t.Run("without "+capability, func(t *testing.T) {
			require.Contains(t, without, capability, "nothing needs the capability")
			kept := slices.DeleteFunc(slices.Clone(capabilities), func(c string) bool {
				return c == capability
			})
			agent := runc.StartAgentWith(t, kept)
			for _, p := range places {
				got := behaviours(t, agent, p, rootfs)
				requireAsBareExcept(t, bare[p.name], got, without[capability][p.name])
			}
		})
	}
}

// TestAnAgentOfRootDoesTheSameWithNoMoreCapabilities shows that an agent that root
// starts serves all behaviours: it drops the capabilities that the unit would not give
// it, and keeps the others.
func TestAnAgentOfRootDoesTheSameWithNoMoreCapabilities(t *testing.T) {
	rootfs, agent := rootfs(t), runc.StartAgentAsRoot(t)
	for _, p := range places {
		bare := behaviours(t, nil, p, rootfs)
		requireAsBareExcept(t, bare, behaviours(t, agent, p, rootfs), "")
	}
}

// requireAsBareExcept requires that the bind to a port that is not allowed was refused,
// that the behaviours in except ended as they say there, and that all others ended as on
// the bare kernel. except is a list of NAME=ERRNO.
func requireAsBareExcept(t *testing.T, bare, got map[string]string, except string) {
	t.Helper()
	want := maps.Clone(bare)
	for _, word := range strings.Fields("another_port=EPERM " + except) {
		name, end, _ := strings.Cut(word, "=")
		want[name] = end
	}
	require.Equal(t, want, got)
}

// behaviours runs testdata/behaviours.c in a container, restricted by the agent unless
// agent is nil. It returns how each behaviour ended: "works" or an errno.
func behaviours(t *testing.T, agent *runc.Agent, p place, rootfs string) map[string]string {
	t.Helper()
	edit := func(s *specs.Spec) {
		has := []string{
			"CAP_NET_BIND_SERVICE", "CAP_NET_ADMIN", "CAP_DAC_OVERRIDE",
			"CAP_SETUID", "CAP_SETGID", "CAP_CHOWN",
		}
		s.Process.Capabilities = &specs.LinuxCapabilities{
			Bounding: has, Effective: has, Permitted: has,
		}
		p.edit(s)
	}
	c := runc.Config{
		Rootfs: rootfs, Args: []string{"/behaviours"}, Runtime: runc.Runtime{Mend: edit},
	}
	if agent != nil {
		c.Seccomp = agent.Profile(t)
		c.Annotations = map[string]string{"port-restricter.port": "80,5000"}
	}
	result := runc.New(t, c).Run(t)
	require.Zero(t, result.Code, result.Stderr)
	ends := map[string]string{}
	for line := range strings.Lines(result.Stdout) {
		name, end, ok := strings.Cut(strings.TrimSpace(line), " ")
		require.True(t, ok, line)
		ends[name] = end
	}
	return ends
}

// rootfs returns a root directory that contains the program behaviours, and that every
// user can enter.
func rootfs(t *testing.T) string {
	t.Helper()
	dir := directory(t)
	compile(t, dir, "behaviours")
	return dir
}
