package hook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
)

// withRules returns options with the administrator's rules.
func withRules(t *testing.T, texts ...config.RuleText) Options {
	t.Helper()
	for i := range texts {
		texts[i].At = map[string]string{"": "file:1", "allow": "file:2", "default": "file:3"}
	}
	o := options
	var err error
	o.Rules, err = config.ParseRules(texts)
	require.NoError(t, err)
	return o
}

func textOf(t *testing.T, spec *specs.Spec) []byte {
	t.Helper()
	text, err := json.Marshal(spec)
	require.NoError(t, err)
	return text
}

// fromContainerd returns the spec of a container of a pod, or of its sandbox.
func fromContainerd(kind string, annotations map[string]string) *specs.Spec {
	all := map[string]string{
		"io.kubernetes.cri.container-type":    kind,
		"io.kubernetes.cri.container-name":    "web",
		"io.kubernetes.cri.sandbox-name":      "web-1",
		"io.kubernetes.cri.sandbox-namespace": "team-a",
	}
	for key, value := range annotations {
		all[key] = value
	}
	return &specs.Spec{Annotations: all, Linux: &specs.Linux{}}
}

// A container that nobody annotated is held by the default of its rule, in every look.
func TestADefaultHoldsAContainerThatNobodyAnnotated(t *testing.T) {
	team := config.RuleText{Namespace: new("team-?"), Default: new("none")}
	for name, test := range map[string]struct {
		rules []config.RuleText
		spec  *specs.Spec
		held  bool
	}{
		"its rule":          {[]config.RuleText{team}, fromContainerd("container", nil), true},
		"not a sandbox":     {[]config.RuleText{team}, fromContainerd("sandbox", nil), false},
		"another container": {[]config.RuleText{team}, &specs.Spec{Linux: &specs.Linux{}}, false},
		"everybody": {[]config.RuleText{{Default: new("80")}},
			&specs.Spec{Linux: &specs.Linux{}}, true},
		"unrestricted": {[]config.RuleText{{Default: new("unrestricted")}},
			fromContainerd("container", nil), false},
		"allow alone": {[]config.RuleText{{Allow: new("80")}},
			fromContainerd("container", nil), false},
		"an earlier rule": {[]config.RuleText{{Pod: new("web-*"), Audit: new(false)}, team},
			fromContainerd("container", nil), false},
	} {
		t.Run(name, func(t *testing.T) {
			o := withRules(t, test.rules...)
			text := textOf(t, test.spec)
			held, err := Held(text, "", o.Rules)
			require.NoError(t, err)
			require.Equal(t, test.held, held)
			injected, err := Inject(text, o)
			require.NoError(t, err)
			state := &specs.State{ID: "c", Annotations: test.spec.Annotations}
			if !test.held {
				require.Equal(t, string(text), string(injected))
				require.NoError(t, Guard(text, o))
				require.NoError(t, CheckStarted(state, o))
				return
			}
			require.NotEqual(t, string(text), string(injected))
			require.ErrorIs(t, Guard(text, o), ErrNoFilter)
			require.ErrorContains(t, CheckStarted(state, o), "tells no pid")
		})
	}
}

// Nor does a way around being held get an annotation around it.
func TestAContainerThatIsHeldByARuleKeepsItsFilter(t *testing.T) {
	o := withRules(t, config.RuleText{Default: new("none")})
	spec := fromContainerd("container", map[string]string{"run.oci.seccomp_bpf_data": "AAAA"})
	_, err := Inject(textOf(t, spec), o)
	require.ErrorContains(t, err, "run.oci.seccomp_bpf_data")
	_, err = Inject([]byte(`{"linux":{},"Linux":{"seccomp":null}}`), o)
	require.ErrorContains(t, err, "read config.json")
}

func TestAnAnnotationAboveAllowIsRefusedWithBothNamed(t *testing.T) {
	o := withRules(t, config.RuleText{Namespace: new("team-a"), Allow: new("8000-8099")})
	ask := func(kind, ports string) error {
		spec := fromContainerd(kind, map[string]string{"port-restricter.port": ports})
		_, err := Inject(textOf(t, spec), o)
		return err
	}
	require.NoError(t, ask("container", "8000"))
	require.EqualError(t, ask("container", "8000,443/tcp"), "annotation port-restricter.port="+
		`8000,443/tcp: 443/tcp is more than allow = "8000-8099" of rule 1 (file:2)`)
	require.NoError(t, ask("sandbox", "443"), "another container of the pod may have another rule")
}

// Podman's name of a container comes from its store, and travels to the agent.
func TestARuleForAContainerOfPodman(t *testing.T) {
	mine := config.RuleText{
		Container: new("mypod-*"), Allow: new("8000-8099"), Default: new("none"),
	}
	o := withRules(t, mine, config.RuleText{Default: new("unrestricted")})
	metadata := func(spec *specs.Spec, o Options) (string, error) {
		t.Helper()
		text, err := Inject(textOf(t, spec), o)
		if err != nil {
			return "", err
		}
		var edited specs.Spec
		require.NoError(t, json.Unmarshal(text, &edited))
		if edited.Linux.Seccomp == nil {
			return "no filter", nil
		}
		return edited.Linux.Seccomp.ListenerMetadata, nil
	}
	spec, store := fromPodman(t)
	delete(spec.Annotations, "port-restricter.port/web")
	got, err := metadata(spec, o)
	require.NoError(t, err)
	require.Equal(t, "port-restricter.name=mypod-web", got)

	// A key can choose by which of its names keys speak of the container, but not its rule.
	spec.Annotations["port-restricter.port/web"] = "8000"
	got, err = metadata(spec, o)
	require.NoError(t, err)
	require.Equal(t, "port-restricter.name=web\nport-restricter.name-in-podman=mypod-web", got)
	spec.Annotations["port-restricter.port/web"] = "80"
	_, err = metadata(spec, o)
	require.ErrorContains(t, err, "80 is more than allow")
	delete(spec.Annotations, "port-restricter.port/web")

	// The look at the process finds the name in the bundle's config.json.
	bundle := t.TempDir()
	path := filepath.Join(bundle, "config.json")
	require.NoError(t, os.WriteFile(path, textOf(t, spec), 0o600))
	state := &specs.State{ID: webID, Bundle: bundle, Annotations: spec.Annotations}
	require.ErrorContains(t, CheckStarted(state, o), "tells no pid")
	others := withRules(t, config.RuleText{Container: new("other"), Default: new("none")})
	require.NoError(t, CheckStarted(state, others))
	got, err = metadata(spec, others)
	require.NoError(t, err)
	require.Equal(t, "no filter", got)

	// If the store can't be read, the rule is unknown. Rules without names need no store.
	stored := filepath.Join(store, "overlay-containers/containers.json")
	require.NoError(t, os.WriteFile(stored, []byte("["), 0o600))
	_, err = metadata(spec, others)
	require.ErrorContains(t, err, "rules or metadata are for containers of names, and the name of"+
		" this one is unknown: read podman's store")
	_, err = metadata(spec, withRules(t, config.RuleText{Default: new("none")}))
	require.NoError(t, err)
}

// The hook that is added reads the same settings.
func TestThePoststartHookReadsTheSameRules(t *testing.T) {
	t.Setenv("PORT_RESTRICTER_CONFIG", "/elsewhere/config.toml")
	e := &Edit{Path: "x", After: []byte(configJSON(annotated, ""))}
	require.NoError(t, e.AddPoststart(options))
	var spec specs.Spec
	require.NoError(t, json.Unmarshal(e.After, &spec))
	require.Equal(t, []string{"PORT_RESTRICTER_CONFIG=/elsewhere/config.toml"},
		spec.Hooks.Poststart[0].Env)
}
