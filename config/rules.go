package config

import (
	"errors"
	"fmt"
	"strings"
)

// Rules are the administrator's rules, in their order. The first one whose conditions all hold
// for a container is the container's. The zero value is no rules.
type Rules struct{ list []*rule }

// A RuleText is a rule as it is written. A key that is not there is nil.
type RuleText struct {
	// Conditions: globs, as path.Match has them, for what an engine says of a container.
	Namespace *string `toml:"namespace" json:"namespace,omitempty"`
	Pod       *string `toml:"pod" json:"pod,omitempty"`
	Container *string `toml:"container" json:"container,omitempty"`

	// Allow bounds what annotations may ask for, in the grammar of ports.
	Allow *string `toml:"allow" json:"allow,omitempty"`
	// Default is for a container without annotations: ports, none, or unrestricted.
	Default *string `toml:"default" json:"default,omitempty"`
	// Audit says whether annotations may choose mode=audit.
	Audit *bool `toml:"audit" json:"audit,omitempty"`

	// At has the place of each key, as FILE:LINE, and under "" that of the rule.
	At map[string]string `toml:"-" json:"at,omitempty"`
}

// unrestricted is the text of a default that allows everything.
const unrestricted = "unrestricted"

// maxRules bounds how long a rule is searched for, and how long rules are compared.
const maxRules = 1024

// A rule is a RuleText that was parsed.
type rule struct {
	text       RuleText
	number     int
	conditions conditions
	allow      *limit // nil if the rule has none; so is standard
	standard   *limit // what a container without annotations may bind
	holds      bool   // a container without annotations must have the filter
}

// ParseRules parses the administrator's rules. An error begins with the place of the key.
func ParseRules(texts []RuleText) (Rules, error) {
	var rules Rules
	for i, text := range texts {
		r, err := parseRule(text, i+1)
		if err != nil {
			return Rules{}, err
		}
		if r.number > maxRules {
			return Rules{}, fmt.Errorf("%s: more than %d rules", text.At[""], maxRules)
		}
		for _, earlier := range rules.list {
			if earlier.conditions.cover(r.conditions) {
				return Rules{}, fmt.Errorf("%s: rule %d is never used: %s holds for each of its"+
					" containers: put it before that rule, or leave it out",
					text.At[""], r.number, earlier.name())
			}
		}
		rules.list = append(rules.list, r)
	}
	return rules, nil
}

func parseRule(text RuleText, number int) (*rule, error) {
	r := &rule{text: text, number: number}
	var err error
	if r.conditions, err = parseConditions(text); err != nil {
		return nil, err
	}
	if text.Allow == nil && text.Default == nil && text.Audit == nil {
		return nil, fmt.Errorf("%s: rule %d says nothing: give it allow, default or audit",
			text.At[""], number)
	}
	if text.Allow != nil {
		if r.allow, err = r.limit("allow", *text.Allow, "a list of ports, or none"); err != nil {
			return nil, err
		}
	}
	if text.Default == nil {
		return r, nil
	}
	ports := *text.Default
	if r.holds = strings.TrimSpace(ports) != unrestricted; !r.holds {
		ports = everyPort
	}
	r.standard, err = r.limit("default", ports, "a list of ports, none, or unrestricted")
	if err != nil {
		return nil, err
	}
	r.standard.source = r.source("default", *text.Default)
	if r.allow != nil && r.holds { // unrestricted says what a rule without a default means, too
		if err := r.standard.ports.within(r.allow); err != nil {
			return nil, fmt.Errorf("%s: default = %q: %w: what annotations may not ask for is no"+
				" default either", text.At["default"], *text.Default, err)
		}
	}
	return r, nil
}

// limit parses the list of ports of a key. what says what the key takes.
func (r *rule) limit(key, text, what string) (*limit, error) {
	err := errors.New("is empty: write " + what + ", or leave it out")
	var list ports
	if strings.TrimSpace(text) != "" {
		list, err = parsePorts(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s = %q: %w", r.text.At[key], key, text, err)
	}
	return &limit{source: r.source(key, text), ports: list}, nil
}

// source returns what reasons call a limit of the rule.
func (r *rule) source(key, text string) string {
	return fmt.Sprintf("%s = %q of rule %d (%s)", key, text, r.number, r.text.At[key])
}

// name returns what errors call the rule.
func (r *rule) name() string { return fmt.Sprintf("rule %d (%s)", r.number, r.text.At[""]) }

// Texts returns the rules as they are written.
func (rules Rules) Texts() (texts []RuleText) {
	for _, r := range rules.list {
		texts = append(texts, r.text)
	}
	return texts
}

// MayHold reports whether a container may have to be restricted by its rule alone.
func (rules Rules) MayHold() bool {
	for _, r := range rules.list {
		if r.holds {
			return true
		}
	}
	return false
}

// of returns the rule of a container, or nil. It fails where the container may be that of two
// engines, by annotations that the author of a pod can have forged, and the rules differ.
func (rules Rules) of(c Container, who Identity) (*rule, error) {
	found := rules.first(who)
	claimed, doubtful := c.claimed()
	if who != (Identity{}) || !doubtful {
		return found, nil
	}
	if other := rules.first(claimed); other != found {
		return nil, fmt.Errorf("it can't be told whether an engine of Kubernetes made the"+
			" container or another one, so its rule can be %s, or %s: of the annotations"+
			" %s, leave those out that the engine did not write",
			found.orNone(), other.orNone(), strings.Join(c.identifyingKeys(), ", "))
	}
	return found, nil
}

func (r *rule) orNone() string {
	if r == nil {
		return "none"
	}
	return r.name()
}

// first returns the first rule that holds for an identity, or nil.
func (rules Rules) first(who Identity) *rule {
	for _, r := range rules.list {
		if r.conditions.hold(who) {
			return r
		}
	}
	return nil
}

// NeedName reports whether the rule of a container depends on a name that only podman's store has.
func (rules Rules) NeedName(c Container) bool {
	if who, err := c.identify(); err != nil || who != (Identity{}) {
		return false
	}
	for _, r := range rules.list {
		switch {
		case r.conditions.namespace != "" || r.conditions.pod != "":
			// Podman tells neither.
		case r.conditions.container != "":
			return true
		default:
			return false
		}
	}
	return false
}

// audit reports whether annotations may choose mode=audit: if the rule or the metadata says so,
// and neither says no. metadata is nil if the metadata says nothing.
func (r *rule) audit(metadata *bool) bool {
	allowed := false
	for _, said := range []*bool{r.said(), metadata} {
		if said != nil && !*said {
			return false
		}
		allowed = allowed || said != nil
	}
	return allowed
}

func (r *rule) said() *bool {
	if r == nil {
		return nil
	}
	return r.text.Audit
}

// bound fails if annotations ask for more than the rule allows.
func (r *rule) bound(user *Policy) error {
	if r == nil || r.allow == nil {
		return nil
	}
	asked := user.limits[0]
	if err := asked.ports.within(r.allow); err != nil {
		return fmt.Errorf("%s: %w", asked.source, err)
	}
	return nil
}
