package runtimes

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook"
	"github.com/port-restricter/port-restricter/hook/filter"
	"github.com/port-restricter/port-restricter/test/runc"
)

// An edit replaces the first occurrence of a text in a config.json.
type edit struct{ old, new string }

// trySocket prints how many filters the process has, then tries to listen on a port that
// the annotation does not name.
const trySocket = `grep ^Seccomp: /proc/self/status; timeout 2 nc -l -p 5001; echo ended`

// ambiguous are edits of a config.json after which readers of JSON disagree on it: on the
// case of a key, on which of two equal keys counts, on escapes, or on where a text ends. In
// some, an OCI runtime could find no filter, or no annotation.
var ambiguous = []struct{ first, second edit }{
	{}, // the spec as it is
	{edit{`"seccomp":{`, `"Seccomp":{`}, edit{}},
	{edit{`"seccomp":{`, `"ſeccomp":{`}, edit{}},
	{edit{`"seccomp":{`, `"seccomp":null,"seccomp":{`}, edit{}},
	{edit{`"linux":{`, `"linux":{"SECCOMP":null,`}, edit{}},
	{edit{`"linux":{`, `"Linux":{`}, edit{`"annotations":{`, others + `"annotations":{`}},
	{edit{`"annotations":{`, others + `"annotations":{`}, edit{}},
	{edit{`"seccomp":{`, `"\u0073eccomp":{`}, edit{}},
	{edit{`"seccomp":{`, `"s\u0065ccomp":null,"seccomp":{`}, edit{}},
	{edit{`"linux":{`, `"lin\u0075x":{`}, edit{}},
	{edit{`"linux":{`, `"linux":{"seccomp\u0000":null,`}, edit{}},
	{edit{`"syscalls":[`, `"sysCalls":[`}, edit{}},
	{edit{`"syscalls":[`, `"syscalls":[],"syscalls":[`}, edit{}},
	{edit{`"names":["bind"`, `"Names":["bind"`}, edit{}},
	{edit{`"names":["bind"`, `"names":["x"],"names":["bind"`}, edit{}},
	{edit{`"names":["bind"`, `"names":["bind\u0000x"`}, edit{}},
	{edit{`"syscalls":[`, `"syscalls":[` + allowsBind}, edit{}},
	{edit{`"action":"SCMP_ACT_NOTIFY"`, `"Action":"SCMP_ACT_NOTIFY"`}, edit{}},
	{edit{`"listenerPath":`, `"listenerpath":`}, edit{}},
	{edit{`"listenerPath":`, `"listenerPath":"","listenerPath":`}, edit{}},
	{edit{`agent.sock"`, `agent.sock\u0000"`}, edit{}},
	{edit{`"defaultAction":`, `"DefaultAction":`}, edit{}},
	{edit{`"annotations":{`, `"Annotations":{`}, edit{}},
	{edit{`"annotations":{`, `"annotations":{},"annotations":{`}, edit{}},
	{edit{`"linux":{`, `"Annotations":null,"linux":{`}, edit{}},
	{edit{`"linux":{`, `"annotations":null,"linux":{`}, edit{}},
	{edit{`"port-restricter.port"`, `"port-restricter\u002eport"`}, edit{}},
	{edit{`"annotations":{`, `"annotations":{"run.oci.seccomp_bpf_data\u0000":"` + allowAll + `",`},
		edit{}},
	{edit{`"annotations":{`, "\"annotations\":{\"a\xff\":\"\","}, edit{}},
	{edit{`"annotations":{`, `"annotations":{"a\ud800":"",`}, edit{}},
	{edit{`{"ociVersion"`, "\ufeff" + `{"ociVersion"`}, edit{}},
	{edit{`"linux":{`, `/* "linux":{}, */"linux":{`}, edit{}},
	{edit{`"seccomp":{`, `/*"x":{}, */"seccomp":{`}, edit{}},
	{edit{`{"ociVersion"`, `{}{"ociVersion"`}, edit{}},
	{edit{`"linux":{`, `"linux":{"future":{"Seccomp":null,"x":[{}]},`}, edit{}},
	{edit{`"syscalls":[`, `"syscalls":[null,`}, edit{}},
	{edit{`"names":["bind"`, `"names":[null,"bind"`}, edit{}},
}

const (
	// others is a linux section without a filter, with which the container starts.
	others = `"linux":{"namespaces":[{"type":"pid"},{"type":"network"},{"type":"ipc"},` +
		`{"type":"uts"},{"type":"mount"},{"type":"cgroup"}]},`
	allowsBind = `{"names":["bind\u0000"],"action":"SCMP_ACT_ALLOW"},`
	// allowAll is a seccomp filter in base64: BPF_RET|BPF_K, SECCOMP_RET_ALLOW.
	allowAll = "BgAAAAAA/38="
)

// FuzzNoRuntimeReadsASpecInAnotherWay shows that a config.json of an annotated container that
// the hooks let pass has the filter in runc and in crun, which read JSON in their own ways, or
// does not start. In one variant the filter is in it before, as if it came from a profile.
func FuzzNoRuntimeReadsASpecInAnotherWay(f *testing.F) {
	for _, seed := range ambiguous {
		f.Add(seed.first.old, seed.first.new, seed.second.old, seed.second.new)
	}
	options := hook.Options{
		Options: filter.Options{ListenerPath: socketForFuzzing(f)},
	}
	rootfs := runc.Rootfs(f)
	whole, err := filter.Merge(nil, options.Options)
	require.NoError(f, err)
	profiles := map[string]*specs.LinuxSeccomp{
		"injected": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"bind", "uselib"}, Action: specs.ActAllow},
			{Names: []string{"bind", "create_module"}, Action: specs.ActErrno},
		}},
		"from a profile": whole,
	}
	runtimes := []runc.Runtime{{Path: "/usr/sbin/runc"}, runc.Crun(f)}
	f.Fuzz(func(t *testing.T, old, new, old2, new2 string) {
		for way, profile := range profiles {
			for _, runtime := range runtimes {
				c := runc.New(t, runc.Config{
					Runtime: runtime, Rootfs: rootfs,
					Args:    []string{busybox, "sh", "-c", trySocket},
					Seccomp: profile, Annotations: map[string]string{key: "5000"},
				})
				text := strings.Replace(configOf(t, c), old, new, 1)
				text = strings.Replace(text, old2, new2, 1)
				requireHeldOrRefused(t, c, text, options, way+" "+runtime.Path)
			}
		}
	})
}

// socketForFuzzing returns the socket of an agent that all processes of a fuzz target share. The
// fuzzer's workers are killed without a cleanup: an agent of theirs would stay, and keep open the
// pipe by whose end the fuzzer knows that its worker is gone.
func socketForFuzzing(f *testing.F) string {
	const variable = "PORT_RESTRICTER_FUZZ_SOCKET"
	if socket := os.Getenv(variable); socket != "" {
		return socket
	}
	socket := runc.StartQuietAgent(f).Socket
	f.Setenv(variable, socket) // the workers inherit it
	return socket
}

// requireHeldOrRefused requires that a container with this config.json is refused by the hooks
// or by its runtime, or is held to its port.
func requireHeldOrRefused(
	t *testing.T, c *runc.Container, text string, options hook.Options, way string,
) {
	t.Helper()
	held, err := hook.Held([]byte(text), "", config.Rules{})
	if err != nil {
		return
	}
	if !held {
		require.NoError(t, os.WriteFile(c.ConfigFile(), []byte(text), 0o600))
		if c.Create(t) == nil {
			ran := config.Container{Annotations: c.State(t).Annotations}
			require.False(t, config.Held(ran, "", config.Rules{}),
				"%s: the runtime has an annotation that the hooks do not see:\n%s", way, text)
			c.Delete(t)
		}
		return
	}
	edited, err := hook.Inject([]byte(text), options)
	if err != nil || hook.Guard(edited, options) != nil {
		return
	}
	require.NoError(t, os.WriteFile(c.ConfigFile(), edited, 0o600))
	result := c.Run(t)
	if !strings.Contains(result.Stdout, "Seccomp:") {
		return // the runtime refused it, or the fuzzer changed the command
	}
	require.Contains(t, result.Stdout, "Seccomp:\t2", "%s:\n%s", way, edited)
	// ENOSYS without an agent: a runtime that finds no listenerPath.
	require.Regexp(t, refusal+"|Function not implemented", result.Stderr, "%s:\n%s", way, edited)
}
