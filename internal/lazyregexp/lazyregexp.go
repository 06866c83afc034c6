// Package lazyregexp compiles a regular expression when it is first used. To compile those of all
// packages would take a good part of the time in which a command starts.
package lazyregexp

import (
	"regexp"
	"sync"
)

// A Regexp is compiled when it is first used.
type Regexp struct{ compiled func() *regexp.Regexp }

// New returns a Regexp, which panics at its first use if the expression is invalid.
func New(expression string) Regexp {
	return Regexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })}
}

// MatchString is as that of regexp.Regexp.
func (r Regexp) MatchString(text string) bool { return r.compiled().MatchString(text) }

// Find is as that of regexp.Regexp.
func (r Regexp) Find(text []byte) []byte { return r.compiled().Find(text) }

// FindIndex is as that of regexp.Regexp.
func (r Regexp) FindIndex(text []byte) []int { return r.compiled().FindIndex(text) }

// FindSubmatch is as that of regexp.Regexp.
func (r Regexp) FindSubmatch(text []byte) [][]byte { return r.compiled().FindSubmatch(text) }

// FindStringSubmatch is as that of regexp.Regexp.
func (r Regexp) FindStringSubmatch(text string) []string {
	return r.compiled().FindStringSubmatch(text)
}

// ReplaceAllString is as that of regexp.Regexp.
func (r Regexp) ReplaceAllString(text, replacement string) string {
	return r.compiled().ReplaceAllString(text, replacement)
}
