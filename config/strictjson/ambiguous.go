package strictjson

import (
	"fmt"
	"strings"
)

// An AmbiguousError tells where readers of a JSON text can disagree.
type AmbiguousError struct {
	Path    string // of an object or a string: linux.seccomp.syscalls[0], or "" at the top
	Problem string
}

func (e *AmbiguousError) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

func ambiguous(p *place, problem string, args ...any) error {
	return &AmbiguousError{p.String(), fmt.Sprintf(problem, args...)}
}

// A place is the way from the top of a text to one of its values. The top is nil.
type place struct {
	parent  *place
	key     string // of a member of an object
	index   int    // of an element of an array
	inArray bool
}

func (p *place) String() string {
	switch {
	case p == nil:
		return ""
	case p.inArray:
		return fmt.Sprintf("%s[%d]", p.parent, p.index)
	case strings.ContainsFunc(p.key, func(r rune) bool { return !isNameRune(r) || r == '.' }):
		return fmt.Sprintf("%s[%q]", p.parent, p.key)
	case p.parent == nil:
		return p.key
	}
	return p.parent.String() + "." + p.key
}
