package engines

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/hook/filter"
	"github.com/port-restricter/port-restricter/hook/filter/base"
)

const kubeletUsage = `metadata:
  annotations:
    port-restricter.port: "5000"
spec:
  securityContext:
    seccompProfile:
      type: Localhost
      localhostProfile: port-restricter.json
  # CRI-O passes the annotation on to the OCI runtime. containerd does so only through a runtime
  # handler: run port-restricter configure containerd, too, and add its RuntimeClass. Through
  # another handler the container can bind nothing.
  # runtimeClassName: port-restricter
`

// Kubelet returns the plan that gives the kubelet a Localhost profile, which needs
// no runtime handler. The annotation must reach the OCI runtime all the same:
// CRI-O passes it on, but containerd does so only through a handler with
// pod_annotations.
func Kubelet(o Options) (*Plan, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	plan := &Plan{Next: "nothing to restart: the kubelet passes the profile's path on, " +
		"and the profile is read for each container"}
	file := ownFile{
		path: filepath.Join(o.KubeletRoot, "seccomp", "port-restricter.json"),
		mode: 0o644, isOwn: isOwnProfile,
	}
	if o.Remove {
		plan.Next = "nothing to restart; " +
			"containers of pods that still name the profile will not start"
	} else {
		plan.Usage = kubeletUsage
		if o.BaseProfile == "" {
			plan.Warning = base.Missing
		}
		text, err := kubeletProfile(o)
		if err != nil {
			return nil, err
		}
		file.text = text
	}
	return plan, plan.writeOwn(o, file)
}

func kubeletProfile(o Options) ([]byte, error) {
	under, err := base.Read(o.BaseProfile)
	if err != nil {
		return nil, err
	}
	profile, err := filter.Merge(under, filter.Options{
		ListenerPath: o.Listener, ListenerMetadata: o.Metadata,
	})
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = filter.WriteProfile(&text, profile)
	return text.Bytes(), err
}

// isOwnProfile reports whether text is a profile that sends bind to a supervisor.
// JSON has no comments for a marker, and an earlier version of port-restricter may
// have written other rules, so nothing more is compared.
func isOwnProfile(text []byte) bool {
	var profile specs.LinuxSeccomp
	if json.Unmarshal(text, &profile) != nil || profile.ListenerPath == "" {
		return false
	}
	return slices.ContainsFunc(profile.Syscalls, func(rule specs.LinuxSyscall) bool {
		return rule.Action == specs.ActNotify && slices.Contains(rule.Names, "bind")
	})
}
