package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/tidwall/sjson"

	"github.com/port-restricter/port-restricter/config"
)

// Inject returns the text of a config.json (OCI runtime spec) with our filter
// merged into linux.seccomp; all else stays byte for byte. The very same text
// comes back when no annotation speaks for the container, or the filter is there
// already. It fails for annotations that no policy can be made of, and for a
// profile that ours can't be merged into.
func Inject(text []byte, o Options) ([]byte, error) {
	spec, err := parseAnnotated(text)
	if err != nil {
		return nil, err
	}
	if spec == nil {
		return text, nil
	}
	// Better no container than one that can bind nothing. Without a policy it
	// can be a pod's sandbox, which needs none.
	if _, err := config.FromState(spec.Annotations, o.ListenerMetadata); err != nil && !errors.Is(err, config.ErrNoPolicy) {
		return nil, err
	}
	if inPlace(spec, o) == nil {
		return text, nil
	}
	merged, err := Merge(seccompOf(spec), o)
	if err != nil {
		return nil, err
	}
	edited, err := setSeccomp(text, merged)
	if err != nil {
		return nil, fmt.Errorf("put the filter into config.json: %w", err)
	}
	// Another look at the text: a key that stands there twice would win over ours.
	if spec, err = parseAnnotated(edited); err != nil {
		return nil, err
	}
	return edited, inPlace(spec, o)
}

// Annotated tells whether an annotation of a config.json speaks for the
// container, so that Inject would change it, or find it changed.
func Annotated(text []byte) (bool, error) {
	spec, err := parseAnnotated(text)
	return spec != nil, err
}

// parseAnnotated returns nil for a container that no annotation speaks for.
func parseAnnotated(text []byte) (*specs.Spec, error) {
	var spec specs.Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	if !config.Annotated(spec.Annotations) {
		return nil, nil
	}
	return &spec, nil
}

func seccompOf(spec *specs.Spec) *specs.LinuxSeccomp {
	if spec.Linux == nil {
		return nil
	}
	return spec.Linux.Seccomp
}

// setSeccomp edits the text, since a spec read and written again would lose the
// fields that it doesn't know.
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
	// A copy: sjson may write into what it is given.
	return sjson.SetRawBytes(slices.Clone(text), "linux.seccomp", raw)
}

// indentation is what the text puts before its first key, if it has lines.
func indentation(text []byte) string {
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	return string(rest[:len(rest)-len(bytes.TrimLeft(rest, " \t"))])
}
