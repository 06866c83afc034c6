package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// AnnotationName is a key of metadata only, which the injection of the filter adds: the NAME by
// which keys speak of a container that podman has named. The agent has no access to podman's
// store, where the name is.
const AnnotationName = KeyPrefix + "name"

// AnnotationPodmanName is another such key: podman's own name of the container, if keys speak of
// it by another one. Conditions of rules are about podman's own: whoever writes a key can choose
// between the names, and must not choose between rules by that.
const AnnotationPodmanName = AnnotationName + "-in-podman"

// WithName returns the metadata with the lines that name the container, in place of those that
// are there.
func WithName(metadata string, who Identity) string {
	var lines []string
	for line := range strings.Lines(metadata) {
		key, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key != AnnotationName && key != AnnotationPodmanName {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	lines = append(lines, AnnotationName+"="+who.Name)
	if who.PodmanName != "" {
		lines = append(lines, AnnotationPodmanName+"="+who.PodmanName)
	}
	return strings.Join(lines, "\n")
}

// NamedKeys returns the annotations and the keys of the metadata that are for the container of a
// name, if no engine of Kubernetes has named or described the container.
func NamedKeys(c Container, metadata string) (annotations, administrator []string) {
	if who, err := c.identify(); err != nil || who != (Identity{}) {
		return nil, nil
	}
	lines, _ := metadataLines(metadata) // FromState says what is wrong with it
	return namedKeys(c.Annotations), namedKeys(lines)
}

func namedKeys(values map[string]string) (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if strings.HasPrefix(key, KeyPrefix) && strings.Contains(key, "/") {
			keys = append(keys, key)
		}
	}
	return keys
}

// PodmanNames are what podman's store says of a container.
type PodmanNames struct {
	Container string   // its name
	Prefix    string   // what podman kube play put before its name in the pod, or "" if unknown
	All       []string // the names of all containers in the store
}

// means reports whether NAME in a key means a container in the store: it is podman's name of the
// container, or its name in the pod, before which podman kube play puts the name of the pod and a
// hyphen.
func (p PodmanNames) means(name, container string) bool {
	if p.Prefix != "" {
		return container == name || container == p.Prefix+name
	}
	return container == name || strings.HasSuffix(container, "-"+name)
}

// Choose returns the NAME by which keys speak of the container, or the container's own name if
// none does. A key that is for no container of the store is an error.
//
// An image can bring keys (podman before 4.6 copies its annotations), and guess names. So a key
// for a name does not take precedence over the plain key here, which may be the operator's: both
// together are an error.
func (p PodmanNames) Choose(annotations map[string]string, administrator []string) (string, error) {
	mine := map[string]string{} // key by NAME
	for _, key := range namedKeys(annotations) {
		plain, name, _ := strings.Cut(key, "/")
		isMeant := func(container string) bool { return p.means(name, container) }
		switch _, both := annotations[plain]; {
		case !slices.ContainsFunc(p.All, isMeant):
			return "", fmt.Errorf("annotation %s: podman has no container of that name; the name"+
				" of this one is %s", key, p.Container)
		case isMeant(p.Container) && both:
			return "", fmt.Errorf("annotations %s and %s are both for the container %s, and an"+
				" image could have brought one of them: keep one, and give each container of a"+
				" pod a key of its own", plain, key, p.Container)
		case isMeant(p.Container):
			mine[name] = key
		}
	}
	for _, key := range administrator {
		if _, name, _ := strings.Cut(key, "/"); p.means(name, p.Container) {
			mine[name] = key
		}
	}
	names := slices.Sorted(maps.Keys(mine))
	switch len(names) {
	case 0:
		return p.Container, nil
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("%s and %s are both for the container %s: keep one of them",
		mine[names[0]], mine[names[1]], p.Container)
}
