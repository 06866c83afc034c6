package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/settings"
)

// An assumption is a container that does not exist, as flags describe it.
type assumption struct {
	annotations               []string
	metadata, rules, identity string
}

func (a *assumption) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&a.annotations, "annotation", nil,
		"`KEY=VALUE` that a container would have; may be repeated")
	flags.StringVar(&a.metadata, "metadata", "",
		"`TEXT` that the administrator would set, in place of metadata in the FILE of --rules")
	flags.StringVar(&a.rules, "rules", "",
		"`FILE` with the administrator's rules and metadata, as "+settings.DefaultPath)
	flags.StringVar(&a.identity, "identity", "",
		"`NAMESPACE/POD/NAME` of the container, or the NAME that podman gave it, for the rules")
}

// made reports whether a flag describes a container.
func (a *assumption) made() bool {
	return len(a.annotations) > 0 || a.metadata != "" || a.rules != "" || a.identity != ""
}

// nothingRestricts is what commands say of a container that may bind every port.
const nothingRestricts = "nothing restricts this container (no annotation, no metadata, no rule)"

// errUnrestricted means that the container may bind every port.
var errUnrestricted = errors.New(nothingRestricts + ", so it may bind every port")

// explain returns what the container may do, or errUnrestricted.
func (a *assumption) explain(
	operation config.Operation, text string,
) (e control.Explanation, err error) {
	container := config.Container{Annotations: map[string]string{}}
	if container.Known, err = a.who(); err != nil {
		return e, err
	}
	for _, annotation := range a.annotations {
		key, value, ok := strings.Cut(annotation, "=")
		if !ok {
			return e, fmt.Errorf("--annotation %q has no value: write KEY=VALUE", annotation)
		}
		container.Annotations[key] = value
	}
	var node settings.Settings
	if a.rules != "" {
		if node, err = settings.Read(a.rules); err != nil {
			return e, err
		}
	}
	node.Set("metadata", a.metadata, "--metadata")
	if err := node.Check(); err != nil {
		return e, err
	}
	request, err := config.ParseRequest(operation, text)
	if err != nil {
		return e, err
	}
	policy, err := config.FromState(container, node.Metadata, node.Rules)
	if errors.Is(err, config.ErrNoPolicy) && !config.Held(container, node.Metadata, node.Rules) {
		return e, errUnrestricted
	}
	if err != nil {
		return e, err
	}
	return control.Explain(policy, request), nil
}

// who returns whom the container is assumed to be.
func (a *assumption) who() (who config.Identity, err error) {
	parts := strings.Split(a.identity, "/")
	switch {
	case len(parts) == 1:
		return config.Identity{Name: parts[0]}, nil
	case len(parts) == 3 && parts[0] != "" && parts[1] != "" && parts[2] != "":
		return config.Identity{Namespace: parts[0], Pod: parts[1], Name: parts[2]}, nil
	}
	return who, fmt.Errorf("--identity %q: write NAMESPACE/POD/NAME, or the NAME of a container of"+
		" podman", a.identity)
}
