package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// The keys of annotations, and of the lines of listenerMetadata. A key followed
// by /NAME is for the container NAME of a pod only, and takes precedence over the
// plain key.
const (
	AnnotationPort = KeyPrefix + "port"
	AnnotationMap  = KeyPrefix + "map"
	AnnotationMode = KeyPrefix + "mode"

	// KeyPrefix begins every key of port-restricter.
	KeyPrefix = "port-restricter."
)

var knownKeys = []string{AnnotationPort, AnnotationMap, AnnotationMode}

// The annotations in which CRI-O and containerd tell the name of a pod's container.
const (
	nameCRIO       = "io.kubernetes.container.name"
	nameContainerd = "io.kubernetes.cri.container-name"
)

// FromState returns the policy of a container: annotations are what its user asks
// for, and metadata, the listenerMetadata of its seccomp profile, is what the
// administrator allows.
//
// If both name ports, a request must be allowed by both, and mode=audit in the
// annotations lifts only the limit of the annotations. If neither names ports,
// the error is ErrNoPolicy. Any other error names the key and the value.
func FromState(annotations map[string]string, metadata string) (Policy, error) {
	name, err := containerName(annotations)
	if err != nil {
		return Policy{}, err
	}
	user, err := parseKeys(annotations, name)
	if err != nil {
		return Policy{}, fmt.Errorf("annotation %w", err)
	}
	lines, err := metadataLines(metadata)
	if err != nil {
		return Policy{}, fmt.Errorf("listenerMetadata: %w", err)
	}
	administrator, err := parseKeys(lines, name)
	if err != nil {
		return Policy{}, fmt.Errorf("listenerMetadata: %w", err)
	}
	switch {
	case user == nil && administrator == nil:
		return Policy{}, fmt.Errorf("%w: the container has no annotation %s: "+
			"give it one, as in %s=5000", ErrNoPolicy, AnnotationPort, AnnotationPort)
	case administrator == nil:
		return *user, nil
	case user == nil:
		return *administrator, nil
	case len(administrator.maps) > 0 && len(user.maps) > 0:
		return Policy{}, fmt.Errorf("both annotation and listenerMetadata have %s: "+
			"keep one of them", AnnotationMap)
	}
	return Policy{
		limits: append(user.limits, administrator.limits...),
		maps:   append(user.maps, administrator.maps...),
	}, nil
}

// Annotated reports whether the annotations ask to restrict this container. It
// also returns true where the container that a key is for cannot be determined.
func Annotated(annotations map[string]string) bool {
	container, err := containerName(annotations)
	for key := range annotations {
		_, name, named := strings.Cut(key, "/")
		if !strings.HasPrefix(key, KeyPrefix) {
			continue
		}
		if !named || name == "" || name == container || container == "" || err != nil {
			return true
		}
	}
	return false
}

// ContainerAnnotations returns the annotations that FromState would see in the
// OCI spec of a pod's container: the keys of port-restricter among those of the
// pod and of the container, and the container's name. Where both have a key, the
// container's value is taken. It serves callers that are asked before there is
// an OCI spec.
func ContainerAnnotations(name string, pod, container map[string]string) map[string]string {
	found := map[string]string{nameCRIO: name}
	for _, annotations := range []map[string]string{pod, container} {
		for key, value := range annotations {
			if strings.HasPrefix(key, KeyPrefix) {
				found[key] = value
			}
		}
	}
	return found
}

// containerName returns the name that the engine wrote. A pod can forge the
// annotation of the engine that does not run it; the two then disagree.
func containerName(annotations map[string]string) (string, error) {
	crio, containerd := annotations[nameCRIO], annotations[nameContainerd]
	if crio != "" && containerd != "" && crio != containerd {
		return "", fmt.Errorf("annotations disagree on the container's name: %s=%q, %s=%q",
			nameCRIO, crio, nameContainerd, containerd)
	}
	return cmp.Or(crio, containerd), nil
}

// parseKeys returns the policy that the keys of one source make for a container,
// or nil if none of them is for it.
func parseKeys(values map[string]string, container string) (*Policy, error) {
	chosen := map[string]string{} // plain key → the key whose value counts, perhaps with a name
	for _, key := range slices.Sorted(maps.Keys(values)) {
		plain, name, named := strings.Cut(key, "/")
		if !strings.HasPrefix(key, KeyPrefix) {
			continue
		}
		if !slices.Contains(knownKeys, plain) {
			return nil, fmt.Errorf("%s is not known: the keys are %s",
				key, strings.Join(knownKeys, ", "))
		}
		if named && name == "" {
			return nil, fmt.Errorf("%s names no container: write %s/NAME", key, plain)
		}
		if named && name != container {
			continue
		}
		value := values[key]
		if strings.TrimSpace(value) == "" {
			return nil, fmt.Errorf("%s is empty: write a value, or leave the key out", key)
		}
		if strings.ContainsFunc(value, unicode.IsControl) {
			return nil, fmt.Errorf("%s=%q has a control character", key, value)
		}
		chosen[plain] = key // a key with a name sorts after the plain one, and replaces it
	}
	if len(chosen) == 0 {
		return nil, nil
	}
	get := func(plain string) *string {
		if key, ok := chosen[plain]; ok {
			value := values[key]
			return &value
		}
		return nil
	}
	texts := limitTexts{
		port: get(AnnotationPort), maps: get(AnnotationMap), mode: get(AnnotationMode),
	}
	if texts.port == nil {
		return nil, fmt.Errorf("%s is missing: without it %s has no effect",
			AnnotationPort, strings.Join(slices.Sorted(maps.Values(chosen)), ", "))
	}
	p, err := texts.parse(keyNames{
		port: chosen[AnnotationPort], maps: chosen[AnnotationMap], mode: chosen[AnnotationMode],
		separator: "=",
	})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// metadataLines returns the key=value lines of metadata that have a key of
// port-restricter. Other text in listenerMetadata belongs to other programs and is
// ignored.
func metadataLines(metadata string) (map[string]string, error) {
	lines := map[string]string{}
	for line := range strings.Lines(metadata) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, KeyPrefix) {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("%q has no value: write %s=…", line, key)
		}
		if before, twice := lines[key]; twice {
			return nil, fmt.Errorf("%s is given twice, as %q and as %q: keep one of them",
				key, before, value)
		}
		lines[key] = value
	}
	return lines, nil
}
