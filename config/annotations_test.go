package config

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestTheKeyOfTheContainerWinsOverThePlainOne(t *testing.T) {
	annotations := map[string]string{
		"port-restricter.port":     "80",
		"port-restricter.port/web": "5000",
		"port-restricter.port/db":  "5432",
		"org.example/other":        "x",
	}
	wanted := map[string]string{"web": "5000", "db": "5432", "cache": "80", "": "80"}
	for name, want := range wanted {
		for engine, c := range fromEngines(name, annotations) {
			p, err := FromState(c, "", Rules{})
			require.NoError(t, err)
			require.Equal(t, want, p.String(), engine)
			require.Equal(t, name == "", len(p.Ignored()) > 0, engine)
		}
	}
}

// fromEngines returns the container as the engines of Kubernetes describe it.
func fromEngines(name string, annotations map[string]string) map[string]Container {
	id := strings.Repeat("5f", 32)
	return map[string]Container{
		"CRI-O": {ID: id, Annotations: with(annotations, map[string]string{
			nameCRIO: name, typeCRIO: "container", idCRIO: id,
			manager: "cri-o", stopSignal: "15",
		})},
		"containerd": {ID: id, Annotations: with(annotations, map[string]string{
			nameContainerd: name, typeContainerd: "container",
		})},
		"NRI": PodContainer(Identity{Name: name}, annotations, nil),
	}
}

// with returns what both maps have.
func with(m, more map[string]string) map[string]string {
	all := maps.Clone(more)
	maps.Copy(all, m)
	return all
}

// of returns a container of the given annotations, which no engine of Kubernetes made.
func of(annotations map[string]string) Container { return Container{Annotations: annotations} }

func TestNoPolicyIsAnErrorThatNamesTheKey(t *testing.T) {
	for _, annotations := range []map[string]string{
		nil, {"a": "b"}, {"port-restricter.port/web": "5000"},
	} {
		_, err := FromState(of(annotations), "text of another program", Rules{})
		require.ErrorIs(t, err, ErrNoPolicy)
		require.ErrorContains(t, err, "port-restricter.port")
	}
}

func TestBadAnnotationsAreNamed(t *testing.T) {
	for _, c := range []struct {
		annotations map[string]string
		says        string
	}{
		{map[string]string{"port-restricter.port": ""}, "annotation port-restricter.port is empty"},
		{map[string]string{"port-restricter.port": " "}, "is empty"},
		{map[string]string{"port-restricter.port": "65536"},
			`port-restricter.port: "65536" is not a port`},
		{map[string]string{"port-restricter.prot": "5000"},
			"annotation port-restricter.prot is not known: the keys are port-restricter.port"},
		{map[string]string{"port-restricter.port/": "5000"}, "names no container"},
		{map[string]string{"port-restricter.port": "5000\n"}, "control character"},
		{map[string]string{"port-restricter.map": "80:5000"}, "port-restricter.port is missing"},
		{map[string]string{"port-restricter.port": "8080", "port-restricter.map": "80:5000"},
			"port-restricter.map=80:5000 binds 5000, which port-restricter.port=8080 does not " +
				"list: add 5000 there"},
		{map[string]string{"port-restricter.port": "5000", "port-restricter.mode": "off"},
			"write enforce or audit"},
		{map[string]string{"port-restricter.port": "5000", "port-restricter.ephemeral": "no"},
			`port-restricter.ephemeral: write allow or deny, not "no"`},
		{map[string]string{
			"port-restricter.port": "5000",
			nameCRIO:               "web", nameContainerd: "db", typeContainerd: "container",
		}, "disagree on the container's name"},
		{map[string]string{"port-restricter.port": "5000", "port-restricter.audit": "allow"},
			"port-restricter.audit is the administrator's"},
	} {
		_, err := FromState(of(c.annotations), "", Rules{})
		require.ErrorContains(t, err, c.says)
		require.NotErrorIs(t, err, ErrNoPolicy)
	}
}

func TestAnnotationsAndMetadataMustBothAllow(t *testing.T) {
	p, err := FromState(of(map[string]string{
		"port-restricter.port": "5000,6000", "port-restricter.mode": "audit",
	}), "a note\nport-restricter.port=5000,7000\nport-restricter.audit=allow\n", Rules{})
	require.NoError(t, err)
	require.Equal(t, Allow, p.Decide(Request{Bind, TCP, anywhere, 5000, false}).Verdict)
	require.Equal(t, Deny, p.Decide(Request{Bind, TCP, anywhere, 6000, false}).Verdict,
		"mode=audit of the pod lifted the administrator's limit")
	audited := p.Decide(Request{Bind, TCP, anywhere, 7000, false})
	require.Equal(t, Allow, audited.Verdict)
	require.True(t, audited.Audited)
	require.Empty(t, p.Ignored())
}

// An image can bring mode=audit, so the mode counts only if the administrator says so.
func TestAuditModeNeedsTheAdministratorsWord(t *testing.T) {
	for _, test := range []struct {
		key, metadata string
		audit         bool
	}{
		{"port-restricter.mode", "", false},
		{"port-restricter.mode/web", "", false},
		{"port-restricter.mode", "port-restricter.port=5000", false},
		{"port-restricter.mode", "port-restricter.audit=deny", false},
		// The mode of the metadata is that of the administrator's own limit.
		{"port-restricter.mode", "port-restricter.port=1-9999\nport-restricter.mode=audit", false},
		{"port-restricter.mode", "port-restricter.audit/db=allow", false},
		{"port-restricter.mode", "port-restricter.audit=allow", true},
		{"port-restricter.mode/web", "port-restricter.audit/web=allow", true},
		{"port-restricter.mode",
			"port-restricter.audit=allow\nport-restricter.audit/web=deny", false},
	} {
		annotations := map[string]string{"port-restricter.port": "5000", test.key: "audit"}
		for engine, c := range fromEngines("web", annotations) {
			p, err := FromState(c, test.metadata, Rules{})
			require.NoError(t, err)
			want := Deny
			if test.audit {
				want = Allow
			}
			require.Equal(t, want, p.Decide(Request{Bind, TCP, anywhere, 6000, false}).Verdict,
				"%s: %s with metadata %q", engine, test.key, test.metadata)
			if !test.audit {
				require.Len(t, p.Ignored(), 1)
				require.Contains(t, p.Ignored()[0], test.key+"=audit counts for nothing")
				require.Contains(t, p.Ignored()[0], "port-restricter.audit=allow")
			}
		}
	}
	_, err := FromState(of(nil), "port-restricter.audit=yes", Rules{})
	require.ErrorContains(t, err, "port-restricter.audit: write allow or deny")
	_, err = FromState(of(nil), "port-restricter.audit=allow", Rules{})
	require.ErrorIs(t, err, ErrNoPolicy, "a permission is no limit")
}

// Either source can refuse a bind to port 0.
func TestEitherSourceCanRefusePortZero(t *testing.T) {
	for _, c := range []struct {
		annotations map[string]string
		metadata    string
		allowed     bool
	}{
		{map[string]string{"port-restricter.port": "5000"}, "port-restricter.port=5000", true},
		{map[string]string{"port-restricter.port": "5000", "": "deny"}, "", true},
		{map[string]string{
			"port-restricter.port": "5000", "port-restricter.ephemeral": "deny",
		}, "port-restricter.port=5000", false},
		{map[string]string{
			"port-restricter.port": "5000", "port-restricter.ephemeral": "allow",
		}, "port-restricter.port=5000\nport-restricter.ephemeral=deny", false},
	} {
		p, err := FromState(of(c.annotations), c.metadata, Rules{})
		require.NoError(t, err)
		require.Equal(t, c.allowed,
			p.Decide(Request{Bind, UDP, anywhere, 0, false}).Verdict == Allow, "%v", c)
	}
}

func TestMetadataAloneIsAPolicy(t *testing.T) {
	p, err := FromState(Container{}, "port-restricter.port=5000", Rules{})
	require.NoError(t, err)
	require.Equal(t, "5000", p.String())
	for metadata, says := range map[string]string{
		"port-restricter.port=5000\nport-restricter.port=80": "is given twice",
		"port-restricter.port":                               "has no value",
		"port-restricter.port=x":                             "is not a port",
	} {
		_, err := FromState(Container{}, metadata, Rules{})
		require.ErrorContains(t, err, says)
	}
}

// FromState does not panic, and returns a policy with a limit or an error.
func FuzzFromState(f *testing.F) {
	f.Add("port-restricter.port", "5000", nameCRIO, "web", "port-restricter.port=80")
	f.Add("port-restricter.port/web", "5000", nameContainerd, "web", "")
	f.Add("port-restricter.map", "80:5000", "port-restricter.port", "5000",
		"port-restricter.mode=audit")
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2, metadata string) {
		c := of(map[string]string{key1: value1, key2: value2})
		p, err := FromState(c, metadata, Rules{})
		if err != nil {
			require.Equal(t, Policy{}, p)
			return
		}
		require.NotEmpty(t, p.limits)
		require.True(t, Held(c, metadata, Rules{}), "what has a policy has the filter")
		p.Decide(Request{Bind, TCP, anywhere, 5000, false})
	})
}

// recorded returns the container of a recorded state.
func recorded(t *testing.T, file string) Container {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var state specs.ContainerProcessState
	require.NoError(t, json.Unmarshal(text, &state))
	return Container{ID: state.State.ID, Annotations: state.State.Annotations}
}

// The files in testdata/states are what runc sent for the container web of a pod with
// port-restricter.port=5000 and port-restricter.port/web=5001, when the container
// started and for an exec. The engines were containerd 1.6.20 and 2.3.6, with
// pod_annotations, and CRI-O 1.34.0.
func TestThePolicyIsFoundInTheStatesOfEngines(t *testing.T) {
	files, err := filepath.Glob("testdata/states/*.json")
	require.NoError(t, err)
	require.Len(t, files, 6)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c := recorded(t, file)
			annotations := c.Annotations
			require.True(t, Held(c, "", Rules{}))
			p, err := FromState(c, "", Rules{})
			require.NoError(t, err)
			require.Equal(t, Allow, p.Decide(Request{Bind, TCP, anywhere, 5001, false}).Verdict)
			require.Equal(t, Deny, p.Decide(Request{Bind, TCP, anywhere, 5000, false}).Verdict)

			// A pod can forge the annotation in which the other engine has the name.
			for _, name := range []string{nameCRIO, nameContainerd} {
				if annotations[name] == "" {
					annotations[name] = "db"
				}
			}
			_, err = FromState(c, "", Rules{})
			require.ErrorContains(t, err, "disagree")
			require.True(t, Held(c, "", Rules{}))
		})
	}
}
