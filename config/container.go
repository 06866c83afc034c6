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
	// PodmanName is podman's own name of the container, if that is not Name.
	PodmanName string
	Sandbox    bool // the container holds the namespaces of its pod, and runs nothing else
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
	who := c.byContainerd()
	if fromCRIO {
		who = c.byCRIO()
	}
	who.Name = cmp.Or(crio, containerd)
	return who, nil
}

// byCRIO returns what CRI-O's annotations say.
func (c Container) byCRIO() Identity {
	a := c.Annotations
	return Identity{
		Namespace: a[namespaceCRIO], Pod: a[podCRIO], Name: a[nameCRIO],
		Sandbox: a[typeCRIO] == "sandbox",
	}
}

// byContainerd returns what containerd's annotations say.
func (c Container) byContainerd() Identity {
	a := c.Annotations
	return Identity{
		Namespace: a[namespaceContainerd], Pod: a[podContainerd], Name: a[nameContainerd],
		Sandbox: a[typeContainerd] == "sandbox",
	}
}

// Identify returns who a container is, as far as that can be trusted. metadata is as in FromState.
func Identify(c Container, metadata string) (Identity, error) {
	who, _, err := c.identifyBy(metadata)
	return who, err
}

// identifyBy returns who a container is, also by the metadata, and the other lines of the metadata.
func (c Container) identifyBy(metadata string) (Identity, map[string]string, error) {
	who, err := c.identify()
	if err != nil {
		return Identity{}, nil, err
	}
	lines, err := metadataLines(metadata)
	if err != nil {
		return Identity{}, nil, fmt.Errorf("listenerMetadata: %w", err)
	}
	return who.orNamedBy(lines), lines, nil
}

// orNamedBy returns who a container of podman is by lines of metadata, and takes these lines out.
func (who Identity) orNamedBy(lines map[string]string) Identity {
	if who == (Identity{}) {
		who.Name, who.PodmanName = lines[AnnotationName], lines[AnnotationPodmanName]
	}
	delete(lines, AnnotationName)
	delete(lines, AnnotationPodmanName)
	return who
}

// claimed returns what an engine of Kubernetes would have said by annotations that can't be
// trusted, and whether there are such.
func (c Container) claimed() (who Identity, doubtful bool) {
	if _, typed := c.Annotations[typeContainerd]; typed && !c.fromContainerd() {
		return c.byContainerd(), true
	}
	if _, written := c.Annotations[idCRIO]; written && c.ID == "" {
		return c.byCRIO(), true
	}
	return Identity{}, false
}

// identifyingKeys returns the annotations by which engines describe the container.
func (c Container) identifyingKeys() []string {
	return slices.DeleteFunc(slices.Clone(identifying), func(key string) bool {
		_, has := c.Annotations[key]
		return !has
	})
}

// fromCRIO reports whether CRI-O made the container. CRI-O writes the container's id,
// which is random: neither an image nor a pod can know it before.
func (c Container) fromCRIO() bool { return c.ID != "" && c.Annotations[idCRIO] == c.ID }

// fromContainerd reports whether containerd made the container. containerd writes the
// container's type last. An image can have that key too, but then the container is
// podman's, and has keys of podman's.
func (c Container) fromContainerd() bool {
	_, typed := c.Annotations[typeContainerd]
	return typed && !HasMarkOfPodman(c.Annotations)
}

// HasMarkOfPodman reports whether there is an annotation that podman always sets. An image can have
// it, and can't take it away.
func HasMarkOfPodman(annotations map[string]string) bool {
	_, stops := annotations[stopSignal]
	_, managed := annotations[manager]
	return stops || managed
}

// claimsName reports whether the annotations have a name for the container, whoever
// wrote it.
func (c Container) claimsName() bool {
	return c.Annotations[nameCRIO] != "" || c.Annotations[nameContainerd] != ""
}

// Held reports whether the container must be restricted: if an annotation asks for
// that, if the metadata has ports for it, or if its rule has a default other than unrestricted.
// It also returns true where it cannot be determined which container a key or a rule is for, and
// for a key that FromState refuses. The sandbox of a pod is held by annotations only: it binds
// nothing.
func Held(c Container, metadata string, rules Rules) bool {
	who, err := c.identify()
	for key := range c.Annotations {
		if asks(key, who.Name, err != nil || who.Name == "") {
			return true
		}
	}
	if who.Sandbox {
		return false
	}
	lines, wrong := metadataLines(metadata)
	if wrong != nil || err != nil && rules.MayHold() {
		return true
	}
	rule, err := rules.of(c, who.orNamedBy(lines))
	if err != nil && rules.MayHold() || rule != nil && rule.holds {
		return true
	}
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
