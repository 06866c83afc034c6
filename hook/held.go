package hook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/strictjson"
	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// A held value is a container that must be restricted, and the options of its filter.
type held struct {
	spec      *specs.Spec
	container config.Container
	options   Options
}

// parseHeld returns the container of a config.json, or nil if the container is not held. It
// fails for the text of a container that is held if an OCI runtime could understand the
// text in another way, if an annotation makes a runtime replace the filter, or if an annotation is
// for the container of a name and the name of this one is unknown.
func parseHeld(text []byte, o Options) (*held, error) {
	var spec specs.Spec
	err := strictjson.Unmarshal(text, &spec)
	if errors.As(err, new(*strictjson.AmbiguousError)) && !mentionsAnnotation(text) &&
		!o.mayHold() {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	h := &held{spec: &spec, container: containerOf(&spec), options: o}
	if err := h.name(); err != nil {
		return nil, err
	}
	if !config.Held(h.container, h.options.ListenerMetadata, o.Rules) {
		return nil, nil
	}
	return h, CheckAnnotations(spec.Annotations)
}

// mayHold reports whether containers without annotations may be held.
func (o Options) mayHold() bool {
	return o.Rules.MayHold() || config.Held(config.Container{}, o.ListenerMetadata, o.Rules)
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
var engineID = lazyregexp.New(`[/:-]([0-9a-f]{64})$`)

// containerOf returns what a spec says of its container. A spec has no field for the
// container's id, but engines put the id at the end of the cgroup's path. An image
// can't choose that path.
func containerOf(spec *specs.Spec) config.Container {
	c := config.Container{Annotations: spec.Annotations}
	if spec.Linux != nil {
		if found := engineID().FindStringSubmatch(spec.Linux.CgroupsPath); found != nil {
			c.ID = found[1]
		}
	}
	return c
}

// name finds out the container's name where keys are for the containers of names, and only
// podman can know them. The agent gets the name in the metadata.
func (h *held) name() error {
	annotations, administrator := config.NamedKeys(h.container, h.options.ListenerMetadata)
	byRule := h.options.Rules.NeedName(h.container)
	if len(annotations) == 0 && len(administrator) == 0 && !byRule {
		return nil
	}
	names, err := podmanNames(h.spec, h.container.ID)
	switch {
	case err != nil && (byRule || len(administrator) > 0) && !errors.Is(err, errNotPodman):
		return fmt.Errorf("the administrator's rules or metadata are for containers of names, and"+
			" the name of this one is unknown: %w", err)
	case err != nil && len(annotations) == 0:
		return nil // metadata and rules are for containers that have a name
	case err != nil:
		plain, _, _ := strings.Cut(annotations[0], "/")
		return fmt.Errorf("annotation %s is for the container of a name, and the name of this one"+
			" is unknown (%w): write %s", annotations[0], err, plain)
	}
	known := &h.container.Known
	if known.Name, err = names.Choose(h.container.Annotations, administrator); err != nil {
		return err
	}
	if known.Name != names.Container {
		known.PodmanName = names.Container // also for rules that come by a reload
	}
	metadata := h.options.ListenerMetadata
	if profile := h.seccomp(); metadata == "" && profile != nil {
		metadata = profile.ListenerMetadata
	}
	h.options.ListenerMetadata = config.WithName(metadata, h.container.Known)
	return nil
}

// seccomp returns the container's profile, for filter.Merge: metadata in it that names no
// container is to be the same as that of the options.
func (h *held) seccomp() *specs.LinuxSeccomp {
	if h.spec.Linux == nil || h.spec.Linux.Seccomp == nil {
		return nil
	}
	profile := *h.spec.Linux.Seccomp
	if h.container.Known.Name != "" && profile.ListenerMetadata != "" {
		profile.ListenerMetadata = config.WithName(profile.ListenerMetadata, h.container.Known)
	}
	return &profile
}
