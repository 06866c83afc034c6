package hook

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
)

// annotationsJSON returns the annotations of a container with one more.
func annotationsJSON(t *testing.T, of map[string]string, key, value string) string {
	all := map[string]string{key: value}
	for key, value := range of {
		all[key] = value
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return string(text)
}

// TestAnnotationsThatReplaceTheFilterAreRefused shows that a restricted container with an
// annotation that weakens the filter is refused by name, and any other container is not.
func TestAnnotationsThatReplaceTheFilterAreRefused(t *testing.T) {
	for key, says := range map[string]string{
		"run.oci.seccomp_bpf_data":                  "another seccomp filter",
		"run.oci.seccomp_bpf_file":                  "another seccomp filter",
		"run.oci.seccomp_ebpf_file":                 "another seccomp filter",
		"run.oci.seccomp.receiver":                  "another program to notify",
		"run.oci.seccomp.plugins":                   "another program to notify",
		"run.oci.seccomp_fail_unknown_syscall":      "run.oci.seccomp_fail_unknown_syscall",
		"run.oci.seccompX":                          "run.oci.seccompX",
		"run.oci.handler":                           "virtual machine",
		"krun.use_passt":                            "virtual machine",
		"io.kubernetes.cri-o.seccompNotifierAction": "CRI-O takes the notifications",
		"seccomp-notifier-action.crio.io":           "CRI-O takes the notifications",
		"io.kubernetes.container.name=other":        `is "io.kubernetes.container.name" to runc`,
	} {
		t.Run(key, func(t *testing.T) {
			of := map[string]string{"port-restricter.port": "5000"}
			text := []byte(configJSON(annotationsJSON(t, of, key, strings.Repeat("A", 1<<16)), ""))
			for _, err := range []error{
				errorOf(Inject(text, options)), errorOf(Held(text, "", config.Rules{})),
				Guard(text, options),
			} {
				require.ErrorContains(t, err, key)
				require.ErrorContains(t, err, says)
				require.Less(t, len(err.Error()), 500, "the error has all of the value")
			}
			for _, others := range []map[string]string{
				nil,
				{
					"port-restricter.port/web":         "5000",
					"io.kubernetes.cri.container-name": "db",
					"io.kubernetes.cri.container-type": "container",
				},
			} {
				text := configJSON(annotationsJSON(t, others, key, "1"), othersListener)
				edited, err := Inject([]byte(text), options)
				require.NoError(t, err)
				require.Equal(t, text, string(edited))
				require.NoError(t, Guard([]byte(text), options))
			}
		})
	}
}

func errorOf[T any](_ T, err error) error { return err }

// TestOtherAnnotationsOfRuntimesAreAllowed shows that the annotations stay usable that podman
// itself sets, and those that change nothing about the filter.
func TestOtherAnnotationsOfRuntimesAreAllowed(t *testing.T) {
	for _, key := range []string{
		"run.oci.keep_original_groups", "run.oci.mount_context_type", "run.oci.systemd.subgroup",
		"module.wasm.image/variant", "org.systemd.property.TimeoutStopUSec", "seccomp",
		"io.kubernetes.cri-o.userns-mode", "io.podman.annotations.seccomp",
	} {
		of := map[string]string{"port-restricter.port": "5000"}
		edited, err := Inject([]byte(configJSON(annotationsJSON(t, of, key, "1"), "")), options)
		require.NoError(t, err, key)
		require.Contains(t, string(edited), options.ListenerPath)
	}
}
