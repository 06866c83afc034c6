package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// The keys of annotations, and of the lines of listenerMetadata. A key with
// /NAME behind it speaks for the container NAME of a pod, and wins.
const (
	AnnotationPort = keyPrefix + "port"
	AnnotationMap  = keyPrefix + "map"
	AnnotationMode = keyPrefix + "mode"

	keyPrefix = "port-restricter."
)

var knownKeys = []string{AnnotationPort, AnnotationMap, AnnotationMode}

// Where engines write the name of a pod's container: CRI-O, containerd.
const (
	nameCRIO       = "io.kubernetes.container.name"
	nameContainerd = "io.kubernetes.cri.container-name"
)

// FromState finds the policy of a container in its annotations and in the
// listenerMetadata of its seccomp profile. Annotations are the user's,
// metadata the administrator's: where both speak of ports, both must allow, and
// a mode of the annotations lifts the annotations' own limit only. ErrNoPolicy
// when neither speaks of ports; any other error names the key and the value.
func FromState(annotations map[string]string, metadata string) (Policy, error) {
	name, err := containerName(annotations)
	if err != nil {
		return Policy{}, err
	}
	users, err := speak(annotations, name)
	if err != nil {
		return Policy{}, fmt.Errorf("annotation %w", err)
	}
	lines, err := metadataLines(metadata)
	if err != nil {
		return Policy{}, fmt.Errorf("listenerMetadata: %w", err)
	}
	administrators, err := speak(lines, name)
	if err != nil {
		return Policy{}, fmt.Errorf("listenerMetadata: %w", err)
	}
	switch {
	case users == nil && administrators == nil:
		return Policy{}, fmt.Errorf("%w: the container has no annotation %s: give it one, as in %s=5000", ErrNoPolicy, AnnotationPort, AnnotationPort)
	case administrators == nil:
		return *users, nil
	case users == nil:
		return *administrators, nil
	case len(administrators.maps) > 0 && len(users.maps) > 0:
		return Policy{}, fmt.Errorf("both annotation and listenerMetadata have %s: keep one of them", AnnotationMap)
	}
	return Policy{
		speakers: append(users.speakers, administrators.speakers...),
		maps:     append(users.maps, administrators.maps...),
	}, nil
}

// Annotated tells whether annotations ask to restrict this container: a key of
// ours speaks for it, or it can't be told for whom it speaks.
func Annotated(annotations map[string]string) bool {
	container, err := containerName(annotations)
	for key := range annotations {
		_, name, named := strings.Cut(key, "/")
		if strings.HasPrefix(key, keyPrefix) && (!named || name == "" || name == container || container == "" || err != nil) {
			return true
		}
	}
	return false
}

// OfContainer are the keys of ours in a pod's and its container's annotations,
// with the name that the engine has for the container: what FromState is asked
// with before there is an OCI container. The container's win.
func OfContainer(name string, pod, container map[string]string) map[string]string {
	found := map[string]string{nameCRIO: name}
	for _, annotations := range []map[string]string{pod, container} {
		for key, value := range annotations {
			if strings.HasPrefix(key, keyPrefix) {
				found[key] = value
			}
		}
	}
	return found
}

// containerName takes the engine's word. A pod can forge the key of the other
// engine, which then disagrees.
func containerName(annotations map[string]string) (string, error) {
	crio, containerd := annotations[nameCRIO], annotations[nameContainerd]
	if crio != "" && containerd != "" && crio != containerd {
		return "", fmt.Errorf("annotations disagree on the container's name: %s=%q, %s=%q", nameCRIO, crio, nameContainerd, containerd)
	}
	return cmp.Or(crio, containerd), nil
}

// speak reads what one side says; nil when it says nothing of ours.
func speak(values map[string]string, container string) (*Policy, error) {
	found := map[string]string{} // key → the key with its name, which holds
	for _, key := range slices.Sorted(maps.Keys(values)) {
		plain, name, named := strings.Cut(key, "/")
		if !strings.HasPrefix(key, keyPrefix) {
			continue
		}
		if !slices.Contains(knownKeys, plain) {
			return nil, fmt.Errorf("%s is not known: the keys are %s", key, strings.Join(knownKeys, ", "))
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
		found[plain] = key // sorted: the one with a name comes behind
	}
	if len(found) == 0 {
		return nil, nil
	}
	get := func(plain string) *string {
		if key, ok := found[plain]; ok {
			value := values[key]
			return &value
		}
		return nil
	}
	s := settings{port: get(AnnotationPort), maps: get(AnnotationMap), mode: get(AnnotationMode)}
	if s.port == nil {
		return nil, fmt.Errorf("%s is missing: without it %s says nothing", AnnotationPort, strings.Join(slices.Sorted(maps.Values(found)), ", "))
	}
	p, err := policyOf(s, names{port: found[AnnotationPort], maps: found[AnnotationMap], mode: found[AnnotationMode], separator: "="})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// metadataLines reads key=value lines. Text without a key of ours is somebody
// else's, and says nothing.
func metadataLines(metadata string) (map[string]string, error) {
	lines := map[string]string{}
	for line := range strings.Lines(metadata) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, keyPrefix) {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("%q has no value: write %s=…", line, key)
		}
		if before, twice := lines[key]; twice {
			return nil, fmt.Errorf("%s stands there twice, with %q and %q: keep one of them", key, before, value)
		}
		lines[key] = value
	}
	return lines, nil
}
