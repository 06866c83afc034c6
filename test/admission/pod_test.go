package admission

import (
	"fmt"
	"strings"

	"k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const key = "port-restricter.port"

type notes = map[string]string

// A pod is what a test has of one. A container is written as NAME PORT/PROTOCOL,..., in which a
// PORT can be HOSTPORT:PORT.
type pod struct {
	name             string
	notes            notes
	containers, init []string
	sidecars         []string // init containers that go on
	selector         map[string]string
	shares           bool // the process namespace
}

func (p pod) build() *v1.Pod {
	built := &v1.Pod{
		ObjectMeta: meta.ObjectMeta{Name: p.name, Annotations: p.notes},
		Spec:       v1.PodSpec{NodeSelector: p.selector},
	}
	if p.shares {
		built.Spec.ShareProcessNamespace = new(true)
	}
	if p.name == "" {
		built.Name = "pod"
	}
	for _, text := range p.containers {
		built.Spec.Containers = append(built.Spec.Containers, container(text))
	}
	for _, text := range p.init {
		built.Spec.InitContainers = append(built.Spec.InitContainers, container(text))
	}
	for _, text := range p.sidecars {
		sidecar := container(text)
		sidecar.RestartPolicy = new(v1.ContainerRestartPolicyAlways)
		built.Spec.InitContainers = append(built.Spec.InitContainers, sidecar)
	}
	return built
}

func container(text string) v1.Container {
	name, ports, _ := strings.Cut(text, " ")
	c := v1.Container{Name: name, Image: "image"}
	for port := range strings.SplitSeq(ports, ",") {
		var p v1.ContainerPort
		if host, inside, found := strings.Cut(port, ":"); found {
			_, _ = fmt.Sscan(host, &p.HostPort)
			port = inside
		}
		if _, err := fmt.Sscanf(port, "%d/%s", &p.ContainerPort, &p.Protocol); err == nil {
			c.Ports = append(c.Ports, p)
		} else if _, err := fmt.Sscanf(port, "%d", &p.ContainerPort); err == nil {
			c.Ports = append(c.Ports, p) // TCP
		}
	}
	return c
}

// manyNotes returns annotations that mean nothing.
func manyNotes(count int) notes {
	all := notes{}
	for i := range count {
		all[fmt.Sprint("a", i)] = ""
	}
	return all
}

// many returns ports that follow each other.
func many(first, count int, protocol string) string {
	var texts []string
	for i := range count {
		texts = append(texts, fmt.Sprintf("%d/%s", first+i, protocol))
	}
	return strings.Join(texts, ",")
}
