package hook

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook/filter"
)

var options = at("/run/port-restricter/agent.sock")

// at returns the options for an agent's socket.
func at(socket string) Options {
	return Options{Options: filter.Options{ListenerPath: socket}}
}

// configJSON returns a config.json with an unusual layout, and with fields that specs.Spec
// does not have.
func configJSON(annotations, linux string) string {
	return fmt.Sprintf(`{ "ociVersion":"1.0.2",
   "future": {"b":1, "a":[ 1,2 ]}, "annotations": %s,
   "linux": {%s "futureToo":1e3,
      "maskedPaths":["/proc/kcore\u003c"]}  }
`, annotations, linux)
}

const annotated = `{"port-restricter.port":"5000"}`

// othersListener is a profile that the filter can't be merged into.
const othersListener = `"seccomp":{"listenerPath":"/run/theirs.sock",` +
	`"defaultAction":"SCMP_ACT_ALLOW"},`

// Injecting preserves every byte outside linux.seccomp, and injecting again changes nothing.
func TestInjectChangesNothingButSeccomp(t *testing.T) {
	for name, seccomp := range map[string]string{
		"none": "",
		"null": `"seccomp": null,`,
		"refuses by default": `"seccomp": {"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,` +
			`"syscalls":[{"names":["read","bind"],"action":"SCMP_ACT_ALLOW"}]},`,
		"allows by default": `"seccomp": {"defaultAction":"SCMP_ACT_ALLOW"},`,
	} {
		t.Run(name, func(t *testing.T) {
			before := configJSON(annotated, seccomp)
			after, err := Inject([]byte(before), options)
			require.NoError(t, err)

			var spec specs.Spec
			require.NoError(t, json.Unmarshal(after, &spec))
			require.Equal(t, options.ListenerPath, spec.Linux.Seccomp.ListenerPath)
			require.Equal(t, withoutSeccomp(t, before), withoutSeccomp(t, string(after)))
			for _, odd := range []string{
				`{"b":1, "a":[ 1,2 ]}`, `1e3`, `["/proc/kcore\u003c"]`,
				`"ociVersion":"1.0.2",` + "\n",
			} {
				require.Contains(t, string(after), odd)
			}

			again, err := Inject(after, options)
			require.NoError(t, err)
			require.Equal(t, string(after), string(again))
		})
	}
}

// withoutSeccomp returns what a config.json has besides linux.seccomp.
func withoutSeccomp(t *testing.T, text string) map[string]any {
	var config map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &config))
	delete(config["linux"].(map[string]any), "seccomp")
	return config
}

func TestInjectGivesAContainerWithoutALinuxSectionOne(t *testing.T) {
	after, err := Inject([]byte(`{"annotations":`+annotated+`}`), options)
	require.NoError(t, err)
	require.Contains(t, string(after), options.ListenerPath)
}

// A container that no annotation is for keeps the text of its config.json, even where the
// filter could not be merged.
func TestInjectLeavesOthersAlone(t *testing.T) {
	for _, annotations := range []string{
		"null", "{}", `{"other.port":"5000"}`,
		`{"port-restricter.port/web":"5000","io.kubernetes.cri.container-name":"db",` +
			`"io.kubernetes.cri.container-type":"container"}`,
	} {
		before := configJSON(annotations, othersListener)
		after, err := Inject([]byte(before), options)
		require.NoError(t, err)
		require.Equal(t, before, string(after))
	}
}

// The administrator's metadata restricts containers that nobody annotated, but not the
// sandbox of a pod. A sandbox is known by the keys of its engine only: the id in CRI-O's
// key must be the one that CRI-O has put into the cgroup's path.
func TestInjectHoldsEveryContainerIfTheMetadataHasPorts(t *testing.T) {
	o := options
	o.ListenerMetadata = "port-restricter.port=8000"
	id, other := strings.Repeat("5f", 32), strings.Repeat("00", 32)
	crio := func(id, kind string) string {
		return fmt.Sprintf(`{"io.kubernetes.cri-o.ContainerID":%q,`+
			`"io.kubernetes.cri-o.ContainerType":%q}`, id, kind)
	}
	for name, test := range map[string]struct {
		annotations, cgroup string
		held                bool
	}{
		"no annotations":                  {"null", "", true},
		"those of other programs":         {`{"other":"1"}`, "", true},
		"a container of CRI-O":            {crio(id, "container"), "/kube/crio-" + id, true},
		"a sandbox of CRI-O":              {crio(id, "sandbox"), "/kube/crio-" + id, false},
		"a sandbox of CRI-O with systemd": {crio(id, "sandbox"), "kube.slice:crio:" + id, false},
		"an image with an id of its own":  {crio(other, "sandbox"), "/libpod-" + id, true},
		"an image, without cgroups":       {crio(other, "sandbox"), "", true},
		"an image with part of the id":    {crio(id[:8], "sandbox"), "/libpod-" + id, true},
		"an image with an empty id":       {crio("", "sandbox"), "", true},
		"an image with the word in the path": {
			crio("container", "sandbox"), "/user.slice/container", true},
		"a sandbox of containerd": {`{"io.kubernetes.cri.container-type":"sandbox"}`, "", false},
		"an image that says so": {`{"io.kubernetes.cri.container-type":"sandbox",` +
			`"org.opencontainers.image.stopSignal":"15"}`, "", true},
	} {
		before := configJSON(test.annotations, fmt.Sprintf(`"cgroupsPath":%q,`, test.cgroup))
		after, err := Inject([]byte(before), o)
		require.NoError(t, err, name)
		require.Equal(t, test.held, before != string(after), name)
		held, err := Held([]byte(before), o.ListenerMetadata, config.Rules{})
		require.NoError(t, err)
		require.Equal(t, test.held, held, name)
		if test.held {
			require.ErrorIs(t, Guard([]byte(before), o), ErrNoFilter, name)
		}
	}
	for metadata, says := range map[string]string{
		"port-restrictor.port=8000": "port-restrictor.port", "port-restricter.port": "has no value",
	} {
		o.ListenerMetadata = metadata
		_, err := Inject([]byte(configJSON("null", "")), o)
		require.ErrorContains(t, err, says, "a container starts, though nobody knows its limit")
	}
}

// A container does not start if the filter could not be injected. The error names what is
// wrong with the config.json.
func TestInjectRefuses(t *testing.T) {
	for name, test := range map[string]struct{ text, says string }{
		"not JSON": {`{"annotations":`, "config.json"},
		"an invalid port": {
			configJSON(`{"port-restricter.port":"http"}`, ""), `"http"`,
		},
		"an unknown key": {
			configJSON(`{"port-restricter.prot":"5000"}`, ""), "port-restricter.prot is not known",
		},
		"a misspelt key": {
			configJSON(`{"Port-Restricter.port":"5000"}`, ""), `"Port-Restricter.port" is misspelt`,
		},
		"a misspelt key, perhaps of the image": {
			configJSON(`{"port-restricter.port":"5000","port-restrictor.mode":"audit"}`, ""),
			`"port-restrictor.mode" is misspelt: write port-restricter.mode`,
		},
		"another supervisor": {configJSON(annotated, othersListener), "/run/theirs.sock"},
		"an unknown default action": {
			configJSON(annotated, `"seccomp":{"defaultAction":"SCMP_ACT_OTHER"},`),
			"SCMP_ACT_OTHER",
		},
		// OCI runtimes written in Go take the last section, others the first.
		"two linux sections": {
			strings.Replace(configJSON(annotated, ""), `"future"`,
				`"linux": {"seccomp":null}, "future"`, 1),
			`"linux" occurs twice`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Inject([]byte(test.text), options)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestInjectFileReplacesTheFileInOneStep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	before := configJSON(annotated, "")
	require.NoError(t, os.WriteFile(path, []byte(before), 0o640))
	reader, err := os.Open(path)
	require.NoError(t, err)
	defer reader.Close()

	edit, err := InjectFile(path, options)
	require.NoError(t, err)
	require.True(t, edit.Changes())
	require.NoError(t, edit.Write())

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode())
	old := make([]byte, len(before)+1)
	n, err := reader.Read(old)
	require.NoError(t, err)
	require.Equal(t, before, string(old[:n]), "a reader of the open file must see its old content")
	require.NoError(t, checkFilterOf(t, path))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	require.NoError(t, err)
	require.Len(t, left, 1, "files beside config.json")

	again, err := InjectFile(path, options)
	require.NoError(t, err)
	require.False(t, again.Changes())
}

func checkFilterOf(t *testing.T, path string) error {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	held, err := parseHeld(text, options)
	require.NoError(t, err)
	return held.checkFilter()
}

// An engine or another hook may edit a config.json after the filter was injected. Guard
// notices whichever rule is missing.
func TestGuardRefusesWhatDroppedTheFilter(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	o := at(socket)
	injected, err := Inject([]byte(configJSON(annotated, "")), o)
	require.NoError(t, err)
	require.ErrorContains(t, Guard(injected, o), "start it: port-restricter agent --socket "+socket)

	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	require.NoError(t, Guard(injected, o))
	require.NoError(t, Guard([]byte(configJSON("{}", "")), o), "not annotated")
	require.ErrorIs(t, Guard([]byte(configJSON(annotated, "")), o), ErrNoFilter)
	other := at("/run/other.sock")
	require.ErrorIs(t, Guard(injected, other), ErrNoFilter)

	var spec specs.Spec
	require.NoError(t, json.Unmarshal(injected, &spec))
	rules := spec.Linux.Seccomp.Syscalls
	for i := range rules {
		spec.Linux.Seccomp.Syscalls = slices.Concat(rules[:i], rules[i+1:])
		text, err := json.Marshal(spec)
		require.NoError(t, err)
		require.ErrorIs(t, Guard(text, o), ErrNoFilter, "without rule %d: %v", i, rules[i])
	}
}
