package control

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// namedLimit is how many containers an error names.
const namedLimit = 10

// Find returns the one container that name means: an id or the beginning of one, a container's
// name, NAMESPACE/POD or NAMESPACE/POD/NAME, a pod's name, or the path of a bundle. A whole id
// comes before everything else.
func Find(all []agent.Container, name string) (agent.Container, error) {
	if name == "" {
		return agent.Container{}, errors.New("an empty text names no container")
	}
	for _, means := range []func(agent.Container) bool{
		func(c agent.Container) bool { return c.ID == name },
		func(c agent.Container) bool { return c.Bundle == name },
		func(c agent.Container) bool {
			pod := c.Namespace + "/" + c.Pod
			return c.Pod != "" && (name == pod || name == pod+"/"+c.Name || name == c.Pod) ||
				c.Name == name || strings.HasPrefix(c.ID, name)
		},
	} {
		var found []agent.Container
		for _, c := range all {
			if means(c) {
				found = append(found, c)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return agent.Container{}, ambiguous(found, name)
		}
	}
	return agent.Container{}, fmt.Errorf("%w: the agent serves %d, and none has the id, "+
		"the name, the pod or the bundle %q; port-restricter status lists them",
		ErrNotFound, len(all), inquiry.Printable(name))
}

func ambiguous(found []agent.Container, name string) error {
	sameID := slices.ContainsFunc(found[1:], func(c agent.Container) bool {
		return c.ID == found[0].ID
	})
	var texts []string
	for _, c := range found[:min(len(found), namedLimit)] {
		text := c.ID
		if sameID {
			text = c.Bundle
		} else if full := FullName(c); full != "" {
			text += " (" + full + ")"
		}
		texts = append(texts, inquiry.Printable(text))
	}
	if more := len(found) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("%d more", more))
	}
	return fmt.Errorf("%q means %d containers: %s; name one of them",
		inquiry.Printable(name), len(found), strings.Join(texts, ", "))
}

// FullName returns NAMESPACE/POD/NAME, or as much of it as is known.
func FullName(c agent.Container) string {
	var parts []string
	for _, part := range []string{c.Namespace, c.Pod, c.Name} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}
