package hook

import (
	"crypto/rand"
	"encoding/json"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/config/inquiry"
)

// Unstartable returns the text of a config.json that no OCI runtime can start, with the reason in
// a place that runc and crun show in their errors: podman passes these on to its user, but drops
// whatever a precreate hook writes to stderr. Nothing is left of the container by which a runtime
// could take another filter, or run another program. It fails for text that is no config.json.
func Unstartable(text []byte, reason error) ([]byte, error) {
	var spec specs.Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	if spec.Process == nil {
		spec.Process = new(specs.Process)
	}
	if spec.Linux == nil {
		spec.Linux = new(specs.Linux)
	}
	spec.Annotations, spec.Hooks = nil, nil
	why := inquiry.Printable(reason.Error())
	spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.LinuxSeccompAction(
		"(port-restricter refuses this container: " + why + ")")}
	// For a runtime that knows no seccomp: an image can't have a program of this name.
	spec.Process.Args = []string{"/refused-by-port-restricter-" + rand.Text()}
	return json.Marshal(spec)
}
