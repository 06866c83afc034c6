package config

import (
	"fmt"
	"strings"
)

// metadataLines returns the key=value lines of metadata that have a key of
// port-restricter. Other text in listenerMetadata belongs to other programs and is
// ignored, unless a key of port-restricter is misspelt.
func metadataLines(metadata string) (map[string]string, error) {
	lines := map[string]string{}
	for line := range strings.Lines(metadata) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, KeyPrefix) {
			if err := checkSpelling(map[string]string{keyMeant(line): ""}); err != nil {
				return nil, err
			}
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

// CheckMetadata fails for metadata of the administrator's own settings with which every container
// would be refused, or that has a line which limits nothing and is no comment (#).
func CheckMetadata(metadata string) error {
	for line := range strings.Lines(metadata) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, _, _ := strings.Cut(line, "=")
		if key == AnnotationName || key == AnnotationPodmanName {
			return fmt.Errorf("%s is only for port-restricter itself: leave it out", key)
		}
		if _, err := parsePorts(line); err == nil {
			return fmt.Errorf("%q is no limit: write %s=%s", line, AnnotationPort, line)
		}
		if !strings.HasPrefix(line, KeyPrefix) && checkSpelling(map[string]string{key: ""}) == nil {
			return fmt.Errorf("%q is no limit: write a line as %s=5000, or # before a comment",
				line, AnnotationPort)
		}
	}
	lines, err := metadataLines(metadata)
	if err == nil {
		_, _, err = parseMetadata(lines, "")
	}
	return err
}

// keyMeant returns what a line may have as its key, or "" for a comment and for prose,
// which may begin with the name of port-restricter.
func keyMeant(line string) string {
	if strings.HasPrefix(line, "#") {
		return ""
	}
	if key, _, ok := strings.Cut(line, "="); ok {
		return strings.TrimSpace(key)
	}
	word, _, _ := strings.Cut(line, " ")
	if !strings.Contains(strings.TrimRight(word, ".:"), ".") {
		return ""
	}
	return word
}

// parseMetadata returns the limit of the metadata, or nil if it has none for the
// container, and whether annotations may choose mode=audit, or nil if it does not say.
func parseMetadata(
	lines map[string]string, container string,
) (limit *Policy, audit *bool, err error) {
	chosen, err := choose(lines, container, metadataKeys)
	if err != nil {
		return nil, nil, err
	}
	if key, ok := chosen[AnnotationAudit]; ok {
		delete(chosen, AnnotationAudit)
		switch lines[key] {
		case "allow":
			audit = new(true)
		case "deny":
			audit = new(false)
		default:
			return nil, nil, fmt.Errorf("%s: write allow or deny, not %q", key, lines[key])
		}
	}
	limit, err = parseKeys(lines, chosen)
	return limit, audit, err
}
