package config

import (
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
	AnnotationPort      = KeyPrefix + "port"
	AnnotationMap       = KeyPrefix + "map"
	AnnotationMode      = KeyPrefix + "mode"
	AnnotationEphemeral = KeyPrefix + "ephemeral"

	// AnnotationAudit is a key of metadata only: with the value allow, annotations may
	// choose mode=audit.
	AnnotationAudit = KeyPrefix + "audit"

	// KeyPrefix begins every key of port-restricter.
	KeyPrefix = ownName + "."
)

var (
	annotationKeys = []string{
		AnnotationPort, AnnotationMap, AnnotationMode, AnnotationEphemeral,
	}
	metadataKeys = append(slices.Clone(annotationKeys), AnnotationAudit)
)

// FromState returns the policy of a container: annotations are what its user asks
// for. metadata, the listenerMetadata of its seccomp profile, and the container's rule are what
// the administrator allows.
//
// A request must be allowed by all that name ports. Without annotations, the default of the rule
// takes their place. If nothing names ports, the error is ErrNoPolicy. Any other error names the
// key and the value. Annotations that ask for more than the rule allows are an error, unless the
// container is the sandbox of a pod, whose other containers may have other rules.
//
// Annotations can come from an image. So mode=audit counts there only if the administrator says
// so, and it lifts only the limit of the annotations. A key for a name counts only where an
// engine of Kubernetes has named the container. Policy.Ignored tells what did not count.
func FromState(c Container, metadata string, rules Rules) (Policy, error) {
	who, lines, err := c.identifyBy(metadata)
	if err != nil {
		return Policy{}, err
	}
	rule, err := rules.of(c, who)
	if err != nil {
		return Policy{}, err
	}
	administrator, audit, err := parseMetadata(lines, who.Name)
	if err != nil {
		return Policy{}, fmt.Errorf("listenerMetadata: %w", err)
	}
	user, err := parseAnnotations(c.Annotations, who.Name, rule.audit(audit))
	if err != nil {
		return Policy{}, fmt.Errorf("annotation %w", err)
	}
	if user != nil && !who.Sandbox {
		if err := rule.bound(user); err != nil {
			return Policy{}, fmt.Errorf("annotation %w", err)
		}
	}
	unnamed := ignoredNames(c, who)
	p, err := combine(user, administrator, rule)
	switch {
	case err != nil && len(unnamed) > 0:
		return Policy{}, fmt.Errorf("%w; %s", err, strings.Join(unnamed, "; "))
	case err != nil:
		return Policy{}, err
	}
	p.ignored = unnamed
	if user != nil {
		p.ignored = append(p.ignored, user.ignored...)
	}
	return p, nil
}

// combine returns the policy that allows what all sources allow. One that is nil
// names no ports.
func combine(user, administrator *Policy, rule *rule) (p Policy, err error) {
	if user == nil && rule != nil && rule.standard != nil {
		user = &Policy{limits: []limit{*rule.standard}}
	}
	switch {
	case user == nil && administrator == nil:
		return Policy{}, fmt.Errorf("%w: the container has no annotation %s: "+
			"give it one, as in %s=5000", ErrNoPolicy, AnnotationPort, AnnotationPort)
	case administrator != nil && user != nil && len(administrator.maps) > 0 && len(user.maps) > 0:
		return Policy{}, fmt.Errorf("both annotation and listenerMetadata have %s: "+
			"keep one of them", AnnotationMap)
	}
	for _, source := range []*Policy{user, administrator} {
		if source != nil {
			p.limits = append(p.limits, source.limits...)
			p.maps = append(p.maps, source.maps...)
		}
	}
	if rule != nil && rule.allow != nil {
		p.limits = append(p.limits, *rule.allow)
	}
	return p, nil
}

// ignoredNames returns a text for each annotation that is for a name, if nobody who can
// be trusted has named the container.
func ignoredNames(c Container, who Identity) (texts []string) {
	if who.Name != "" || who.Sandbox {
		return nil
	}
	for _, key := range namedKeys(c.Annotations) {
		texts = append(texts, fmt.Sprintf("%q counts for nothing: "+
			"no engine that can be trusted has named this container", key))
	}
	return texts
}

// parseAnnotations returns the limit of the annotations, or nil if none is for the
// container.
func parseAnnotations(
	annotations map[string]string, container string, mayAudit bool,
) (*Policy, error) {
	if err := checkSpelling(annotations); err != nil {
		return nil, err
	}
	chosen, err := choose(annotations, container, annotationKeys)
	if err != nil {
		return nil, err
	}
	p, err := parseKeys(annotations, chosen)
	if p != nil && p.limits[0].audit && !mayAudit {
		p.limits[0].audit = false
		p.ignored = []string{fmt.Sprintf("%s=audit counts for nothing: an image can bring it, "+
			"so it needs %s=allow in the administrator's metadata, or audit = true in the "+
			"container's rule",
			chosen[AnnotationMode], AnnotationAudit)}
	}
	return p, err
}

// choose returns the keys that are for a container, by their plain form: the one with
// the container's name, or else the plain one.
func choose(values map[string]string, container string, known []string) (map[string]string, error) {
	chosen := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		plain, name, named := strings.Cut(key, "/")
		if !strings.HasPrefix(key, KeyPrefix) {
			continue
		}
		switch {
		case slices.Contains(known, plain):
		case plain == AnnotationAudit:
			return nil, fmt.Errorf("%s is the administrator's: write it into the metadata", key)
		case plain == AnnotationName, plain == AnnotationPodmanName:
			return nil, fmt.Errorf("%s is only for port-restricter itself: leave it out", key)
		default:
			return nil, fmt.Errorf("%s is not known: the keys are %s",
				key, strings.Join(known, ", "))
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
	return chosen, nil
}

// parseKeys returns the policy that the chosen keys of one source make, or nil if there
// are none.
func parseKeys(values, chosen map[string]string) (*Policy, error) {
	if len(chosen) == 0 {
		return nil, nil
	}
	names := Texts{
		Ports: chosen[AnnotationPort], Map: chosen[AnnotationMap],
		Mode: chosen[AnnotationMode], Ephemeral: chosen[AnnotationEphemeral],
	}
	if names.Ports == "" {
		return nil, fmt.Errorf("%s is missing: without it %s has no effect",
			AnnotationPort, strings.Join(slices.Sorted(maps.Values(chosen)), ", "))
	}
	value := func(key string) string {
		if key == "" {
			return "" // not chosen; there may be an annotation whose key is empty
		}
		return values[key]
	}
	p, err := Texts{
		Ports: value(names.Ports), Map: value(names.Map),
		Mode: value(names.Mode), Ephemeral: value(names.Ephemeral),
	}.parse(names, "=")
	if err != nil {
		return nil, err
	}
	return &p, nil
}
