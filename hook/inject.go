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
	"github.com/port-restricter/port-restricter/hook/filter"
)

// Inject returns the text of a config.json (OCI runtime spec) with the filter merged
// into linux.seccomp. Everything else stays byte for byte. The text is returned
// unchanged if the container is not held (config.Held), or if the filter is in it
// already. Inject fails for annotations and metadata that do not make a policy, and
// for a profile that the filter can't be merged into.
func Inject(text []byte, o Options) ([]byte, error) {
	held, err := parseHeld(text, o)
	if err != nil {
		return nil, err
	}
	if held == nil {
		return text, nil
	}
	// With invalid annotations, or such that ask for too much, a container could bind nothing, so
	// it had better not start.
	// A container without a policy may be the sandbox of a pod, which needs none.
	_, err = config.FromState(held.container, held.options.ListenerMetadata, o.Rules)
	if err != nil && !errors.Is(err, config.ErrNoPolicy) {
		return nil, err
	}
	if held.checkFilter() == nil {
		return text, nil
	}
	merged, err := filter.Merge(held.seccomp(), held.options.Options)
	if err != nil {
		return nil, err
	}
	edited, err := setSeccomp(text, merged)
	if err != nil {
		return nil, fmt.Errorf("put the filter into config.json: %w", err)
	}
	// The text is read again: the edit must have reached what the OCI runtime will read.
	if held, err = parseHeld(edited, o); err != nil {
		return nil, err
	}
	return edited, held.checkFilter()
}

// Held reports whether the container of a config.json must be restricted, so that
// Inject would add the filter or find it there.
func Held(text []byte, metadata string, rules config.Rules) (bool, error) {
	o := Options{Options: filter.Options{ListenerMetadata: metadata}, Rules: rules}
	held, err := parseHeld(text, o)
	return held != nil, err
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
