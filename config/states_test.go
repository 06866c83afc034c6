package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// testdata/states are what engines had runc send for the container web of a pod
// with port-restricter.port=5000 and port-restricter.port/web=5001, when it
// started and for an exec: containerd 1.6.20 and 2.3.6 with pod_annotations, and
// CRI-O 1.34.0.
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
			require.Equal(t, Allow, p.Decide(Request{Bind, TCP, anywhere, 5001}).Verdict)
			require.Equal(t, Deny, p.Decide(Request{Bind, TCP, anywhere, 5000}).Verdict)

			// What the other engine calls the container is the pod's word.
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
