package config

import (
	"encoding/json"
	"os"
	"path/filepath"
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
		for _, key := range []string{nameCRIO, nameContainerd} {
			annotations := with(annotations, key, name)
			p, err := FromState(annotations, "")
			require.NoError(t, err)
			require.Equal(t, want, p.String())
		}
	}
}

// with returns a copy of m that has the key and the value too.
func with(m map[string]string, key, value string) map[string]string {
	out := map[string]string{key: value}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func TestNoPolicyIsAnErrorThatNamesTheKey(t *testing.T) {
	for _, annotations := range []map[string]string{
		nil, {"a": "b"}, {"port-restricter.port/web": "5000"},
	} {
		_, err := FromState(annotations, "text of another program")
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
		{map[string]string{"port-restricter.port": "5000", nameCRIO: "web", nameContainerd: "db"},
			"disagree on the container's name"},
	} {
		_, err := FromState(c.annotations, "")
		require.ErrorContains(t, err, c.says)
		require.NotErrorIs(t, err, ErrNoPolicy)
	}
}

func TestAnnotationsAndMetadataMustBothAllow(t *testing.T) {
	p, err := FromState(map[string]string{
		"port-restricter.port": "5000,6000", "port-restricter.mode": "audit",
	}, "a note\nport-restricter.port=5000,7000\n")
	require.NoError(t, err)
	require.Equal(t, Allow, p.Decide(Request{Bind, TCP, anywhere, 5000, false}).Verdict)
	require.Equal(t, Deny, p.Decide(Request{Bind, TCP, anywhere, 6000, false}).Verdict,
		"mode=audit of the pod lifted the administrator's limit")
	audited := p.Decide(Request{Bind, TCP, anywhere, 7000, false})
	require.Equal(t, Allow, audited.Verdict)
	require.True(t, audited.Audited)
}

func TestMetadataAloneIsAPolicy(t *testing.T) {
	p, err := FromState(nil, "port-restricter.port=5000")
	require.NoError(t, err)
	require.Equal(t, "5000", p.String())
	for metadata, says := range map[string]string{
		"port-restricter.port=5000\nport-restricter.port=80": "is given twice",
		"port-restricter.port":                               "has no value",
		"port-restricter.port=x":                             "is not a port",
	} {
		_, err := FromState(nil, metadata)
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
		p, err := FromState(map[string]string{key1: value1, key2: value2}, metadata)
		if err != nil {
			require.Equal(t, Policy{}, p)
			return
		}
		require.NotEmpty(t, p.limits)
		p.Decide(Request{Bind, TCP, anywhere, 5000, false})
	})
}

func TestAnnotated(t *testing.T) {
	for _, test := range []struct {
		annotations map[string]string
		want        bool
	}{
		{nil, false},
		{map[string]string{"port-restricter": "1"}, false},
		{map[string]string{"x.port-restricter.port": "1"}, false},
		{map[string]string{"port-restricter.port": "1"}, true},
		{map[string]string{"port-restricter.typo": "1"}, true},
		// The name of the container is not known, so the key may be for this one.
		{map[string]string{"port-restricter.port/web": "1"}, true},
		{map[string]string{"port-restricter.port/": "1", nameCRIO: "web"}, true},
		{map[string]string{"port-restricter.port/web": "1", nameCRIO: "web"}, true},
		{map[string]string{"port-restricter.port/web": "1", nameContainerd: "db"}, false},
		{map[string]string{
			"port-restricter.port/web": "1", nameContainerd: "db", nameCRIO: "web",
		}, true},
	} {
		require.Equal(t, test.want, Annotated(test.annotations), "%v", test.annotations)
	}
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
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var state specs.ContainerProcessState
			require.NoError(t, json.Unmarshal(text, &state))
			annotations := state.State.Annotations
			require.True(t, Annotated(annotations))
			p, err := FromState(annotations, "")
			require.NoError(t, err)
			require.Equal(t, Allow, p.Decide(Request{Bind, TCP, anywhere, 5001, false}).Verdict)
			require.Equal(t, Deny, p.Decide(Request{Bind, TCP, anywhere, 5000, false}).Verdict)

			// A pod can forge the annotation in which the other engine has the name.
			for _, name := range []string{nameCRIO, nameContainerd} {
				if annotations[name] == "" {
					annotations[name] = "db"
				}
			}
			_, err = FromState(annotations, "")
			require.ErrorContains(t, err, "disagree")
			require.True(t, Annotated(annotations))
		})
	}
}
