package config

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// conditions are those of a rule: globs, "" for a condition that the rule does not have.
type conditions struct{ namespace, pod, container string }

// globLimit bounds a glob in bytes. The names of Kubernetes have at most 253.
const globLimit = 512

func parseConditions(text RuleText) (conditions, error) {
	var all conditions
	for _, c := range []struct {
		key   string
		value *string
		to    *string
	}{
		{"namespace", text.Namespace, &all.namespace},
		{"pod", text.Pod, &all.pod},
		{"container", text.Container, &all.container},
	} {
		if c.value == nil {
			continue
		}
		*c.to = *c.value
		mend := ""
		switch _, err := path.Match(*c.value, ""); {
		case strings.TrimSpace(*c.value) == "":
			mend = "is empty: write a name or a glob, or leave it out"
		case len(*c.value) > globLimit:
			mend = fmt.Sprintf("has more than %d bytes", globLimit)
		case err != nil:
			mend = `is no glob: * is any text, ? a character, [a-c] one of some, \ comes before` +
				` a character that is meant as it is`
		case strings.ContainsAny(*c.value, "{}!,/ "):
			mend = `matches no name, since none has {, }, !, a comma, / or a space: * is any` +
				` text, ? a character, [a-c] one of some; for two names write two rules`
		default:
			continue
		}
		return all, fmt.Errorf("%s: %s = %q %s", text.At[c.key], c.key,
			(*c.value)[:min(len(*c.value), globLimit)], mend)
	}
	return all, nil
}

// hold reports whether all conditions hold. One on something unknown does not.
func (c conditions) hold(who Identity) bool {
	return holds(c.namespace, who.Namespace) && holds(c.pod, who.Pod) &&
		holds(c.container, cmp.Or(who.PodmanName, who.Name))
}

func holds(glob, value string) bool {
	if glob == "" {
		return true
	}
	matched, err := path.Match(glob, value)
	return err == nil && matched && value != ""
}

// cover reports whether the conditions hold wherever the later ones hold. It may return false
// where they do.
func (c conditions) cover(later conditions) bool {
	return covers(c.namespace, later.namespace) && covers(c.pod, later.pod) &&
		covers(c.container, later.container)
}

// covers reports whether a glob matches whatever the later glob matches: it is matched with the
// text of the later one, in which a * stands for itself.
func covers(glob, later string) bool {
	if glob == "" || later == "" {
		return glob == ""
	}
	pattern, text := globTokens(glob), globTokens(later)
	p, star, retry := 0, -1, 0
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == "*":
			star, retry = p, t
			p++
		case p < len(pattern) && tokenCovers(pattern[p], text[t]):
			p++
			t++
		case star >= 0:
			retry++
			p, t = star+1, retry
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "*" {
		p++
	}
	return p == len(pattern)
}

// tokenCovers reports whether a token of a glob other than * matches whatever another one does.
func tokenCovers(token, other string) bool {
	if token == other {
		return true
	}
	switch other[0] {
	case '*', '?', '[':
		return token == "?" && other != "*"
	}
	matched, _ := path.Match(token, strings.TrimPrefix(other, `\`))
	return matched
}

// globTokens splits a glob into characters, wildcards and classes.
func globTokens(glob string) (tokens []string) {
	for len(glob) > 0 {
		end := 1
		switch glob[0] {
		case '[':
			end = classEnd(glob)
		case '\\':
			_, size := utf8.DecodeRuneInString(glob[1:])
			end = 1 + size
		case '*':
			if len(tokens) > 0 && tokens[len(tokens)-1] == "*" {
				glob = glob[1:]
				continue
			}
		default:
			_, end = utf8.DecodeRuneInString(glob)
		}
		tokens = append(tokens, glob[:end])
		glob = glob[end:]
	}
	return tokens
}

// classEnd returns the index behind the class with which a glob begins.
func classEnd(glob string) int {
	for i := 1; i < len(glob); i++ {
		switch {
		case glob[i] == '\\':
			i++
		case glob[i] == ']' && i > 1:
			return i + 1
		}
	}
	return len(glob)
}
