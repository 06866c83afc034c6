// Package privilege runs agents with the privileges that our unit gives them,
// with less and with more, and looks at what they can and can't do.
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

// A place is a container, as far as user namespaces matter to the agent.
type place struct {
	name string
	mend func(*specs.Spec)
}

var places = []place{
	{container, func(*specs.Spec) {}},
	{userContainer, func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
		s.Linux.UIDMappings, s.Linux.GIDMappings = ids, ids
	}},
}

const (
	container     = "container"
	userContainer = "container in a user namespace"
)

// What a helper does: it takes the target's ids, or nothing is done.
const (
	byHelper = " path=EPERM path_as_another_user=EPERM path_of_another_user=EPERM path_of_another_user_without_capability=EPERM netlink_group=EPERM"
	owned    = " low_port_in_own_user_namespace=EPERM low_port_in_namespace_of_agents_user=EPERM low_port_there_without_capability=EPERM"
	nothing  = "port=EPERM undumpable=EPERM low_port=EPERM low_port_without_capability=EPERM" + owned + byHelper
)

// without says which behaviours end in another way when the agent has all
// capabilities of the unit but one. Whatever is not said ends as without us.
var without = map[string]map[string]string{
	"none":       {},
	"sys_ptrace": {container: nothing, userContainer: nothing},
	// Its threads would own namespaces of its user: in a namespace not its own
	// no low port is even tried without a helper, who can be its own user only.
	"setuid": {
		container:     "low_port=EACCES low_port_in_own_user_namespace=EPERM" + byHelper,
		userContainer: "low_port=EPERM low_port_without_capability=EPERM" + owned + byHelper,
	},
	"setgid": {
		container:     "low_port=EACCES low_port_in_own_user_namespace=EACCES low_port_in_namespace_of_agents_user=EACCES" + byHelper,
		userContainer: "low_port=EACCES low_port_in_own_user_namespace=EACCES low_port_in_namespace_of_agents_user=EACCES" + byHelper,
	},
	// Inside a user namespace a helper has these by itself, if the target has.
	"sys_chroot":       {container: "low_port=EACCES" + byHelper},
	"net_bind_service": {container: "low_port=EACCES"},
	"net_admin":        {container: "netlink_group=EPERM"},
	"dac_override":     {container: "path_of_another_user=EACCES"},
}

func TestEveryCapabilityOfTheUnitIsNeeded(t *testing.T) {
	capabilities, rootfs := runc.Capabilities(t), rootfs(t)
	bare := map[string]map[string]string{}
	for _, p := range places {
		bare[p.name] = behaviours(t, nil, p, rootfs)
	}
	for _, capability := range append([]string{"none"}, capabilities...) {
		t.Run("without "+capability, func(t *testing.T) {
			require.Contains(t, without, capability, "nothing needs it")
			kept := slices.DeleteFunc(slices.Clone(capabilities), func(c string) bool { return c == capability })
			agent := runc.StartAgentWith(t, kept)
			for _, p := range places {
				requireAsBareBut(t, bare[p.name], behaviours(t, agent, p, rootfs), without[capability][p.name])
			}
		})
	}
}

func TestAnAgentOfRootDoesTheSameWithNoMoreCapabilities(t *testing.T) {
	rootfs, agent := rootfs(t), runc.StartAgentAsRoot(t)
	for _, p := range places {
		requireAsBareBut(t, behaviours(t, nil, p, rootfs), behaviours(t, agent, p, rootfs), "")
	}
}

// requireAsBareBut: the port that is not allowed is refused, and all else ends
// as without us, but for what is said.
func requireAsBareBut(t *testing.T, bare, held map[string]string, but string) {
	t.Helper()
	want := maps.Clone(bare)
	for _, word := range strings.Fields("another_port=EPERM " + but) {
		name, end, _ := strings.Cut(word, "=")
		want[name] = end
	}
	require.Equal(t, want, held)
}

// behaviours runs the program in a container, held by the agent if there is one.
func behaviours(t *testing.T, agent *runc.Agent, p place, rootfs string) map[string]string {
	t.Helper()
	c := runc.Config{Rootfs: rootfs, Args: []string{"/behaviours"}, Runtime: runc.Runtime{Mend: func(s *specs.Spec) {
		has := []string{"CAP_NET_BIND_SERVICE", "CAP_NET_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: has, Effective: has, Permitted: has}
		p.mend(s)
	}}}
	if agent != nil {
		c.Seccomp, c.Annotations = agent.Profile(t), map[string]string{"port-restricter.port": "80,5000"}
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

// rootfs has the program, and can be entered by every user.
func rootfs(t *testing.T) string {
	t.Helper()
	dir := directory(t)
	compile(t, dir, "behaviours")
	return dir
}
