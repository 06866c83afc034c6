package nri

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/containerd/nri/pkg/api"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook/filter"
	"github.com/port-restricter/port-restricter/hook/filter/base"
)

// registered returns a plugin that an engine has configured, with an agent that accepts
// connections.
func registered(t *testing.T, engine, version string) *Plugin {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "agent.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	log := logrus.New()
	log.SetOutput(io.Discard)
	p := &Plugin{
		Options: filter.Options{ListenerPath: socket},
		Rules:   func() (config.Rules, error) { return config.Rules{}, nil },
		Guard:   "/usr/bin/port-restricter",
		Log:     log,
	}
	_, err = p.Configure(context.Background(), "", engine, version)
	require.NoError(t, err)
	return p
}

// create asks the plugin about a container whose pod is annotated.
func create(p *Plugin, c *api.Container) (*api.ContainerAdjustment, error) {
	c.Name = "web"
	pod := &api.PodSandbox{Annotations: map[string]string{
		"port-restricter.port": "5000", "other": "not for the OCI runtime",
	}}
	adjustment, _, err := p.CreateContainer(context.Background(), pod, c)
	return adjustment, err
}

// actions returns the actions of the rules that name a system call.
func actions(policy *api.LinuxSeccomp, call string) (found []string) {
	for _, rule := range policy.GetSyscalls() {
		for _, name := range rule.GetNames() {
			if name == call {
				found = append(found, rule.GetAction())
			}
		}
	}
	return found
}

// TestAHiddenPolicyIsReplacedByTheDefaultProfile shows that with an engine that does
// not show RuntimeDefault, a container still has a profile of that kind after the
// filter has replaced it.
func TestAHiddenPolicyIsReplacedByTheDefaultProfile(t *testing.T) {
	for _, version := range []string{"1.34.0", "1.37.0-dev"} {
		p := registered(t, "cri-o", version)
		adjustment, err := create(p, &api.Container{})
		require.NoError(t, err)
		policy := adjustment.GetLinux().GetSeccompPolicy()
		require.Equal(t, p.Options.ListenerPath, policy.GetListenerPath())
		require.Equal(t, string(specs.ActErrno), policy.GetDefaultAction())
		require.Equal(t, []string{string(specs.ActNotify)}, actions(policy, "listen"))
		require.Contains(t, actions(policy, "getpid"), string(specs.ActAllow))
		require.NotContains(t, actions(policy, "unshare"), string(specs.ActAllow),
			"unshare is allowed only with a capability that a usual container lacks")
		require.Equal(t, map[string]string{"port-restricter.port": "5000"},
			adjustment.GetAnnotations())
		require.Equal(t, []string{
			"port-restricter", "hook", "createRuntime",
			"--listener", p.Options.ListenerPath, "--metadata", "",
		}, adjustment.GetHooks().GetCreateRuntime()[0].GetArgs())
		require.Equal(t, "poststart", adjustment.GetHooks().GetPoststart()[0].GetArgs()[2])
	}
}

// TestWhichContainersAreHeld shows that a container without annotations is restricted if
// the metadata has ports, and that a misspelt annotation refuses the container.
func TestWhichContainersAreHeld(t *testing.T) {
	p := registered(t, "containerd", "2.3.0")
	ask := func(annotations map[string]string) (*api.ContainerAdjustment, error) {
		adjustment, _, err := p.CreateContainer(context.Background(),
			&api.PodSandbox{Annotations: annotations}, &api.Container{Name: "web"})
		return adjustment, err
	}
	for _, annotations := range []map[string]string{nil, {"port-restricter.port/db": "1"}} {
		adjustment, err := ask(annotations)
		require.NoError(t, err)
		require.Nil(t, adjustment)
	}
	_, err := ask(map[string]string{"port-restrictor.port": "5000"})
	require.ErrorContains(t, err, `"port-restrictor.port" is misspelt`)

	p.Options.ListenerMetadata = "port-restricter.port=8000"
	for _, annotations := range []map[string]string{nil, {"port-restricter.port/db": "1"}} {
		adjustment, err := ask(annotations)
		require.NoError(t, err)
		require.Equal(t, p.Options.ListenerPath,
			adjustment.GetLinux().GetSeccompPolicy().GetListenerPath())
		require.Equal(t, p.Options.ListenerMetadata,
			adjustment.GetLinux().GetSeccompPolicy().GetListenerMetadata())
	}
}

// TestRulesHoldContainersOfTheirPods shows that rules are about the pod that NRI shows, that they
// are read for each container, and that no container is made while they can't be read.
func TestRulesHoldContainersOfTheirPods(t *testing.T) {
	p := registered(t, "containerd", "2.3.0")
	ask := func(namespace string, annotations map[string]string) (*api.ContainerAdjustment, error) {
		adjustment, _, err := p.CreateContainer(context.Background(),
			&api.PodSandbox{Namespace: namespace, Name: "web-1", Annotations: annotations},
			&api.Container{Name: "web"})
		return adjustment, err
	}
	adjustment, err := ask("team-a", nil)
	require.NoError(t, err)
	require.Nil(t, adjustment, "without rules")

	rules, err := config.ParseRules([]config.RuleText{{
		Namespace: new("team-a"), Container: new("w*"), Allow: new("8000"), Default: new("none"),
		At: map[string]string{"allow": "file:4"},
	}})
	require.NoError(t, err)
	p.Rules = func() (config.Rules, error) { return rules, nil }
	adjustment, err = ask("team-a", nil)
	require.NoError(t, err)
	require.Equal(t, p.Options.ListenerPath,
		adjustment.GetLinux().GetSeccompPolicy().GetListenerPath())
	require.NotEmpty(t, adjustment.GetHooks().GetPoststart())
	adjustment, err = ask("team-b", map[string]string{
		"io.kubernetes.cri.sandbox-namespace": "team-a", "io.kubernetes.pod.namespace": "team-a",
	})
	require.NoError(t, err)
	require.Nil(t, adjustment, "another namespace, whatever its pod says")
	_, err = ask("team-a", map[string]string{"port-restricter.port": "80"})
	require.ErrorContains(t, err, `80 is more than allow = "8000" of rule 1 (file:4)`)

	p.Rules = func() (config.Rules, error) { return config.Rules{}, errors.New("a wrong file") }
	_, err = ask("team-b", nil)
	require.ErrorContains(t, err, "a wrong file")
}

// TestAnUnconfinedContainerGetsTheFilterAlone shows that the filter is not merged into
// the default profile for a container that has none: it would refuse calls that the
// container may make.
func TestAnUnconfinedContainerGetsTheFilterAlone(t *testing.T) {
	unconfined := &api.SecurityProfile{ProfileType: api.SecurityProfile_UNCONFINED}
	for engine, linux := range map[string]*api.LinuxContainer{
		"cri-o": {SeccompProfile: unconfined}, "containerd": {},
	} {
		adjustment, err := create(registered(t, engine, "2.3.0"), &api.Container{Linux: linux})
		require.NoError(t, err)
		policy := adjustment.GetLinux().GetSeccompPolicy()
		require.Equal(t, string(specs.ActAllow), policy.GetDefaultAction(), engine)
	}
}

// TestAHiddenLocalhostProfileIsNotReplaced shows that a container with a Localhost
// profile is refused if the engine does not show the profile, and that the error
// says how to fix it.
func TestAHiddenLocalhostProfileIsNotReplaced(t *testing.T) {
	profile := &api.SecurityProfile{
		ProfileType: api.SecurityProfile_LOCALHOST, LocalhostRef: "/profiles/mine.json",
	}
	container := &api.Container{Linux: &api.LinuxContainer{SeccompProfile: profile}}
	_, err := create(registered(t, "containerd", "2.2.9"), container)
	require.ErrorContains(t, err, "/profiles/mine.json")
	require.ErrorContains(t, err, "port-restricter profile --base FILE")
}

// TestEnginesThatShowPolicies shows which versions of containerd show a container's own
// policy. With any other engine, a missing policy must not count as unconfined.
func TestEnginesThatShowPolicies(t *testing.T) {
	for version, want := range map[string]bool{
		"v2.3.0": true, "2.3.6+unknown": true, "2.10.0": true, "3.0.0-rc.0": true,
		"v2.2.9": false, "1.7.27": false, "unknown": false, "": false, "2": false,
	} {
		require.Equal(t, want, showsPolicies("containerd", version), version)
	}
	require.False(t, showsPolicies("cri-o", "2.3.0"))
}

// TestToOCIKeepsTheWholePolicy shows that toOCI loses no field: each could be one that
// refuses a call.
func TestToOCIKeepsTheWholePolicy(t *testing.T) {
	p, err := base.Default()
	require.NoError(t, err)
	want, err := json.Marshal(p)
	require.NoError(t, err)
	got, err := json.Marshal(toOCI(api.FromOCILinuxSeccomp(p)))
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got))
}

// TestABadIndexIsRefused shows that Serve fails for an index that engines refuse,
// instead of trying for ever.
func TestABadIndexIsRefused(t *testing.T) {
	p := registered(t, "containerd", "2.3.0")
	require.ErrorContains(t, p.Serve(context.Background(), "/nowhere.sock", "x"), `"x"`)
}

// TestAnnotationsThatReplaceTheFilterAreRefused shows that a restricted container is refused if
// it or its pod has an annotation by which the OCI runtime would replace the filter, and that no
// other container is.
func TestAnnotationsThatReplaceTheFilterAreRefused(t *testing.T) {
	const bpf = "run.oci.seccomp_bpf_data"
	p := registered(t, "containerd", "2.3.0")
	_, err := create(p, &api.Container{Annotations: map[string]string{bpf: "AAAA"}})
	require.ErrorContains(t, err, bpf)

	pod := &api.PodSandbox{Annotations: map[string]string{
		"port-restricter.port/web": "5000", bpf: "AAAA",
	}}
	_, _, err = p.CreateContainer(context.Background(), pod, &api.Container{Name: "web"})
	require.ErrorContains(t, err, bpf)
	adjustment, _, err := p.CreateContainer(context.Background(), pod, &api.Container{Name: "db"})
	require.NoError(t, err)
	require.Nil(t, adjustment)
}
