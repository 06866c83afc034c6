package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/tidwall/sjson"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/strictjson"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// Inject returns the text of a config.json (OCI runtime spec) with the filter merged
// into linux.seccomp. Everything else stays byte for byte. The text is returned
// unchanged if the container is not held (config.Held), or if the filter is in it
// already. Inject fails for annotations and metadata that do not make a policy, and
// for a profile that the filter can't be merged into.
func Inject(text []byte, o filter.Options) ([]byte, error) {
	spec, err := parseHeld(text, o.ListenerMetadata)
	if err != nil {
		return nil, err
	}
	if spec == nil {
		return text, nil
	}
	// With invalid annotations a container could bind nothing, so it had better not start.
	// A container without a policy may be the sandbox of a pod, which needs none.
	_, err = config.FromState(containerOf(spec), o.ListenerMetadata)
	if err != nil && !errors.Is(err, config.ErrNoPolicy) {
		return nil, err
	}
	if checkFilter(spec, o) == nil {
		return text, nil
	}
	merged, err := filter.Merge(seccompOf(spec), o)
	if err != nil {
		return nil, err
	}
	edited, err := setSeccomp(text, merged)
	if err != nil {
		return nil, fmt.Errorf("put the filter into config.json: %w", err)
	}
	// The text is read again: the edit must have reached what the OCI runtime will read.
	if spec, err = parseHeld(edited, o.ListenerMetadata); err != nil {
		return nil, err
	}
	return edited, checkFilter(spec, o)
}

// Held reports whether the container of a config.json must be restricted, so that
// Inject would add the filter or find it there.
func Held(text []byte, metadata string) (bool, error) {
	spec, err := parseHeld(text, metadata)
	return spec != nil, err
}

// parseHeld returns the spec in a config.json, or nil if the container is not held. It
// fails for the text of a container that is held if an OCI runtime could understand the
// text in another way, or if an annotation makes a runtime replace the filter.
func parseHeld(text []byte, metadata string) (*specs.Spec, error) {
	var spec specs.Spec
	err := strictjson.Unmarshal(text, &spec)
	if errors.As(err, new(*strictjson.AmbiguousError)) && !mentionsAnnotation(text) &&
		!config.Held(config.Container{}, metadata) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	if !config.Held(containerOf(&spec), metadata) {
		return nil, nil
	}
	return &spec, CheckAnnotations(spec.Annotations)
}

// mentionsAnnotation reports whether a key of port-restricter is anywhere in a JSON text. If
// none is, no reader of the text finds an annotation for the container.
func mentionsAnnotation(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := decoder.Token()
		if err != nil {
			return err != io.EOF
		}
		if key, ok := token.(string); ok && strings.HasPrefix(key, config.KeyPrefix) {
			return true
		}
	}
}

// engineID matches the end of a cgroup's path that has a container's id, as CRI-O and
// podman make ids.
var engineID = regexp.MustCompile(`[/:-]([0-9a-f]{64})$`)

// containerOf returns what a spec says of its container. A spec has no field for the
// container's id, but engines put the id at the end of the cgroup's path. An image
// can't choose that path.
func containerOf(spec *specs.Spec) config.Container {
	c := config.Container{Annotations: spec.Annotations}
	if spec.Linux != nil {
		if found := engineID.FindStringSubmatch(spec.Linux.CgroupsPath); found != nil {
			c.ID = found[1]
		}
	}
	return c
}

func seccompOf(spec *specs.Spec) *specs.LinuxSeccomp {
	if spec.Linux == nil {
		return nil
	}
	return spec.Linux.Seccomp
}

// setSeccomp returns the text of a config.json with another linux.seccomp, indented like
// the rest. It edits the text, since decoding and encoding would lose the fields that
// specs.Spec does not have.
func setSeccomp(text []byte, seccomp *specs.LinuxSeccomp) ([]byte, error) {
	raw, err := json.Marshal(seccomp)
	if err != nil {
		return nil, err
	}
	if unit := indentation(text); unit != "" {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, raw, strings.Repeat(unit, 2), unit); err != nil {
			return nil, err
		}
		raw = pretty.Bytes()
	}
	// A copy, since sjson may write into its argument.
	return sjson.SetRawBytes(slices.Clone(text), "linux.seccomp", raw)
}

// indentation returns the white space with which the second line of a JSON text begins,
// or "".
func indentation(text []byte) string {
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	return string(rest[:len(rest)-len(bytes.TrimLeft(rest, " \t"))])
}
