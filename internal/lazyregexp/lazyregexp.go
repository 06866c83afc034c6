// Package lazyregexp compiles a regular expression when it is first used. To compile those of all
// packages would take a good part of the time in which a command starts.
package lazyregexp

import (
	"regexp"
	"sync"
)

// New returns a function that compiles the expression at its first call, and panics if that is
// invalid.
func New(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
