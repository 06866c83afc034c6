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
	// Known is what the engine itself has told the caller, if its Name is not "". Otherwise the
	// container's identity is taken from annotations that only an engine can have written.
	Known       Identity
	Annotations map[string]string
}

// An Identity is what an engine says of a container. The zero value is that of a container
// which no engine of Kubernetes made. An empty field is not known.
type Identity struct {
	Namespace string // of the pod
	Pod       string // the pod's name
	Name      string // of the container in its pod; under podman, as in PodmanNames.Choose
	Sandbox   bool   // the container holds the namespaces of its pod, and runs nothing else
}

// The annotations in which CRI-O and containerd describe a pod's container.
const (
	nameCRIO      = "io.kubernetes.container.name"
	podCRIO       = "io.kubernetes.pod.name"
	namespaceCRIO = "io.kubernetes.pod.namespace"
	typeCRIO      = "io.kubernetes.cri-o.ContainerType"
	idCRIO        = "io.kubernetes.cri-o.ContainerID"

	nameContainerd      = "io.kubernetes.cri.container-name"
	podContainerd       = "io.kubernetes.cri.sandbox-name"
	namespaceContainerd = "io.kubernetes.cri.sandbox-namespace"
	typeContainerd      = "io.kubernetes.cri.container-type"
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
	nameCRIO, podCRIO, namespaceCRIO, typeCRIO, idCRIO,
	nameContainerd, podContainerd, namespaceContainerd, typeContainerd, stopSignal, manager,
}

// identify returns what the engine says of the container. Other annotations cannot be
// trusted with that: a pod's author sets any key, and podman before 4.6 copies the
// annotations of an image.
func (c Container) identify() (Identity, error) {
	if c.Known.Name != "" {
		return c.Known, nil
	}
	a := c.Annotations
	fromCRIO := c.fromCRIO()
	if !fromCRIO && !c.fromContainerd() {
		return Identity{}, nil
	}
	crio, containerd := a[nameCRIO], a[nameContainerd]
	if crio != "" && containerd != "" && crio != containerd {
		return Identity{}, fmt.Errorf("annotations disagree on the container's name: %s=%q, %s=%q",
			nameCRIO, crio, nameContainerd, containerd)
	}
	if fromCRIO {
		return Identity{
			Namespace: a[namespaceCRIO], Pod: a[podCRIO], Name: cmp.Or(crio, containerd),
			Sandbox: a[typeCRIO] == "sandbox",
		}, nil
	}
	return Identity{
		Namespace: a[namespaceContainerd], Pod: a[podContainerd], Name: cmp.Or(crio, containerd),
		Sandbox: a[typeContainerd] == "sandbox",
	}, nil
}

// Identify returns who a container is, as far as that can be trusted. metadata is as in FromState.
func Identify(c Container, metadata string) (Identity, error) {
	who, err := c.identify()
	if err != nil || who != (Identity{}) {
		return who, err
	}
	lines, err := metadataLines(metadata)
	return Identity{Name: lines[AnnotationName]}, err
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
		if asks(key, who.Name, err != nil || who.Name == "") {
			return true
		}
	}
	if who.Sandbox {
		return false
	}
	lines, err := metadataLines(metadata)
	if err != nil {
		return true
	}
	delete(lines, AnnotationName)
	for key := range lines {
		plain, _, _ := strings.Cut(key, "/")
		if plain != AnnotationAudit && asks(key, who.Name, who.Name == "" && c.claimsName()) {
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
// that are asked before there is an OCI spec, and know from the engine who the container is.
func PodContainer(who Identity, pod, container map[string]string) Container {
	found := map[string]string{}
	for _, annotations := range []map[string]string{pod, container} {
		for key, value := range annotations {
			if isOurs(key) {
				found[key] = value
			}
		}
	}
	return Container{Known: who, Annotations: found}
}
