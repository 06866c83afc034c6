package engines

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// A Change is one file before and after; nil is a file that isn't there.
type Change struct {
	Path          string
	Before, After []byte
	// Mode of a new file. One that is there keeps mode and owner.
	Mode fs.FileMode
}

// Verb is what happens to the file.
func (c Change) Verb() string {
	switch {
	case c.Before == nil:
		return "create"
	case c.After == nil:
		return "remove"
	}
	return "change"
}

// A Plan is what configuring an engine comes to.
type Plan struct {
	Changes []Change
	// Usage is how to use what was written, if that takes more than a line.
	Usage string
	// Next is what the administrator has to do, in one line.
	Next string
}

// Diff is the plan as a unified diff.
func (p *Plan) Diff() string {
	var text strings.Builder
	for _, c := range p.Changes {
		from, to := c.Path, c.Path
		if c.Before == nil {
			from = "/dev/null"
		}
		if c.After == nil {
			to = "/dev/null"
		}
		text.WriteString(udiff.Unified(from, to, string(c.Before), string(c.After)))
	}
	return text.String()
}

// edit plans another text for a file, nil for none.
func (p *Plan) edit(o Options, path string, after []byte, mode fs.FileMode) error {
	before, err := o.read(path)
	if err != nil {
		return err
	}
	if (before == nil) == (after == nil) && bytes.Equal(before, after) {
		return nil
	}
	real, err := o.resolve(path)
	if err != nil {
		return err
	}
	p.Changes = append(p.Changes, Change{Path: real, Before: before, After: after, Mode: mode})
	return nil
}

// An ownFile belongs to us as a whole.
type ownFile struct {
	path string
	text []byte
	mode fs.FileMode
	// ours tells a file of an earlier run from somebody else's of the same name.
	ours func(text []byte) bool
}

// write plans the file, or on Remove its end. A file of somebody else's is never
// overwritten, and none of our business on Remove.
func (p *Plan) write(o Options, file ownFile) error {
	before, err := o.read(file.path)
	if err != nil {
		return err
	}
	foreign := before != nil && !file.ours(before)
	switch {
	case foreign && o.Remove:
		return nil
	case foreign:
		real, _ := o.resolve(file.path)
		return fmt.Errorf("%s is there and not from port-restricter configure: move it away, then run this again", real)
	case o.Remove:
		return p.edit(o, file.path, nil, 0)
	}
	return p.edit(o, file.path, file.text, file.mode)
}

// finish puts removals in the order that never leaves a configuration naming a
// file that is gone.
func (p *Plan) finish(o Options) *Plan {
	if o.Remove {
		slices.Reverse(p.Changes)
	}
	return p
}

const marker = "# Written by port-restricter configure "

// mark is the first line of a file of ours.
func mark(engine string) string {
	return marker + engine + "; with --remove it takes the file away.\n"
}

func marked(text []byte) bool { return bytes.Contains(text, []byte(marker)) }
