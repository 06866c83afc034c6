package filter

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// defaults are the engines whose default profiles are in testdata: what a container
// gets that asks for nothing, on amd64.
//
//	podman      linux.seccomp of the config.json that podman 4.3.1 (Debian 12) makes
//	docker      github.com/moby/profiles/seccomp v0.3.0, GetDefaultProfile with
//	            Docker's 14 capabilities
//	containerd  github.com/containerd/containerd/v2 v2.3.6, contrib/seccomp.DefaultProfile
//	            with the same capabilities
//	crio        linux.seccomp of the config.json that CRI-O 1.34.0 makes for RuntimeDefault
var defaults = []string{"podman", "docker", "containerd", "crio"}

var update = flag.Bool("update", false, "write the golden files again")

// The golden files show what becomes of the profiles that most containers have. Apart
// from the rules of the filter, a merged profile has nothing that the default profile
// does not have.
func TestMergingIntoTheDefaultsOfEngines(t *testing.T) {
	for _, engine := range defaults {
		t.Run(engine, func(t *testing.T) {
			base, err := ReadProfile("testdata/" + engine + "-default.json")
			require.NoError(t, err)
			merged, err := Merge(base, Options{
				ListenerPath:     options.ListenerPath,
				ListenerMetadata: "port-restricter.port=5000",
			})
			require.NoError(t, err)
			var text bytes.Buffer
			require.NoError(t, WriteProfile(&text, merged))
			golden := "testdata/" + engine + "-merged.json"
			if *update {
				require.NoError(t, os.WriteFile(golden, text.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), text.String())

			// The last rules are those of the base, without the calls of the filter where
			// the base permits them.
			calls := []string{"bind", "listen", "setsockopt", "seccomp", "socketcall"}
			kept := merged.Syscalls[len(merged.Syscalls)-len(base.Syscalls):]
			for i, r := range base.Syscalls {
				r.Names = slices.DeleteFunc(slices.Clone(r.Names), func(name string) bool {
					return permits(r.Action) && slices.Contains(calls, name)
				})
				require.Equal(t, asJSON(t, r), asJSON(t, kept[i]))
			}
			rest := func(p specs.LinuxSeccomp) string {
				p.Syscalls, p.ListenerPath, p.ListenerMetadata = nil, "", ""
				return asJSON(t, p)
			}
			require.Equal(t, rest(*base), rest(*merged))
		})
	}
}

func asJSON(t *testing.T, v any) string {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
