package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Container is what is known of a container before it has a policy.
type Container struct {
	// ID is the container's id as its OCI runtime has it, or "" if that is unknown.
	ID string
	// Name is the container's name in its pod, where the caller has the name from the
	// engine itself. Where Name is "", the name is taken from annotations that only an
	// engine can have written.
	Name        string
	Annotations map[string]string
}

// The annotations in which CRI-O and containerd describe a pod's container.
const (
	nameCRIO       = "io.kubernetes.container.name"
	typeCRIO       = "io.kubernetes.cri-o.ContainerType"
	idCRIO         = "io.kubernetes.cri-o.ContainerID"
	nameContainerd = "io.kubernetes.cri.container-name"
	typeContainerd = "io.kubernetes.cri.container-type"
)

// Podman sets these annotations in each container: the first always, the second
// unless there is one already. containerd sets neither.
const (
	stopSignal = "org.opencontainers.image.stopSignal"
	manager    = "io.container.manager"
)

// Relevant returns those annotations on which a policy depends.
func Relevant(annotations map[string]string) map[string]string {
	found := map[string]string{}
	for key, value := range annotations {
		if isOurs(key) || slices.Contains(identifying, key) {
			found[key] = value
		}
	}
	return found
}

var identifying = []string{
	nameCRIO, typeCRIO, idCRIO, nameContainerd, typeContainerd, stopSignal, manager,
}

// An identity is what an engine says of a container. The zero value is that of a
// container which no engine of Kubernetes made.
type identity struct {
	name    string
	sandbox bool // the container holds the namespaces of its pod, and runs nothing else
}

// identify returns what the engine says of the container. Other annotations cannot be
// trusted with that: a pod's author sets any key, and podman before 4.6 copies the
// annotations of an image.
func (c Container) identify() (identity, error) {
	if c.Name != "" {
		return identity{name: c.Name}, nil
	}
	a := c.Annotations
	if !c.fromCRIO() && !c.fromContainerd() {
		return identity{}, nil
	}
	crio, containerd := a[nameCRIO], a[nameContainerd]
	if crio != "" && containerd != "" && crio != containerd {
		return identity{}, fmt.Errorf("annotations disagree on the container's name: %s=%q, %s=%q",
			nameCRIO, crio, nameContainerd, containerd)
	}
	kind := a[typeContainerd]
	if c.fromCRIO() {
		kind = a[typeCRIO]
	}
	return identity{name: cmp.Or(crio, containerd), sandbox: kind == "sandbox"}, nil
}

// fromCRIO reports whether CRI-O made the container. CRI-O writes the container's id,
// which is random: neither an image nor a pod can know it before.
func (c Container) fromCRIO() bool { return c.ID != "" && c.Annotations[idCRIO] == c.ID }

// fromContainerd reports whether containerd made the container. containerd writes the
// container's type last. An image can have that key too, but then the container is
// podman's, and has keys of podman's.
func (c Container) fromContainerd() bool {
	_, typed := c.Annotations[typeContainerd]
	_, stops := c.Annotations[stopSignal]
	_, managed := c.Annotations[manager]
	return typed && !stops && !managed
}

// claimsName reports whether the annotations have a name for the container, whoever
// wrote it.
func (c Container) claimsName() bool {
	return c.Annotations[nameCRIO] != "" || c.Annotations[nameContainerd] != ""
}

// Held reports whether the container must be restricted: if an annotation asks for
// that, or if the metadata has ports for it. It also returns true where it cannot be
// determined which container a key is for, and for a key that FromState refuses. The
// sandbox of a pod is not held to the metadata: it binds nothing.
func Held(c Container, metadata string) bool {
	who, err := c.identify()
	for key := range c.Annotations {
		if asks(key, who.name, err != nil || who.name == "") {
			return true
		}
	}
	if who.sandbox {
		return false
	}
	lines, err := metadataLines(metadata)
	if err != nil {
		return true
	}
	delete(lines, AnnotationName)
	for key := range lines {
		plain, _, _ := strings.Cut(key, "/")
		if plain != AnnotationAudit && asks(key, who.name, who.name == "" && c.claimsName()) {
			return true
		}
	}
	return false
}

// asks reports whether a key concerns the container of the given name. inDoubt means
// that a key for any name may concern it.
func asks(key, container string, inDoubt bool) bool {
	if !strings.HasPrefix(key, KeyPrefix) {
		_, misspelt := respell(key)
		return misspelt
	}
	_, name, named := strings.Cut(key, "/")
	return !named || name == "" || name == container || inDoubt
}

// isOurs reports whether a key is one of port-restricter, or is meant to be.
func isOurs(key string) bool {
	_, misspelt := respell(key)
	return misspelt || strings.HasPrefix(key, KeyPrefix)
}

// PodContainer returns a container of a pod, with the annotations that FromState will
// see in the OCI spec: the keys of port-restricter among those of the pod and of the
// container. Where both have a key, the container's value is taken. It serves callers
// that are asked before there is an OCI spec, and have the name from the engine.
func PodContainer(name string, pod, container map[string]string) Container {
	found := map[string]string{}
	for _, annotations := range []map[string]string{pod, container} {
		for key, value := range annotations {
			if isOurs(key) {
				found[key] = value
			}
		}
	}
	return Container{Name: name, Annotations: found}
}
