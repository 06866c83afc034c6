package engines

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// A Change is the content of one file before and after. A nil content means that
// the file does not exist.
type Change struct {
	Path          string // with Options.Root, and with symbolic links followed
	Before, After []byte
	// Mode is the mode of a new file. An existing file keeps its mode and its owner.
	Mode fs.FileMode

	// ownDir is the directory of port-restricter in which the file is, or the one that
	// was made for the file, or "". It is removed together with the last file in it.
	ownDir string
}

// Verb returns "create", "remove" or "change": what is done to the file.
func (c Change) Verb() string {
	switch {
	case c.Before == nil:
		return "create"
	case c.After == nil:
		return "remove"
	}
	return "change"
}

// A Plan is the list of changes that configure an engine, or that undo its
// configuration.
type Plan struct {
	Changes []Change // in the order in which Apply makes them
	// Usage shows how to use what was written, or is "" where Next says it all.
	Usage string
	// Next says, in one line, what the administrator has to do after Apply.
	Next string
	// Warning says, in one line, what is weaker than it could be and how to mend it, or is "".
	Warning string
	// OCIRuntime is the path or name of the OCI runtime that the engine has used so far, or ""
	// where its configuration does not say.
	OCIRuntime string
	// Files are the files of the engine's own configuration that the plan is about, changed or
	// not, without those that only port-restricter reads.
	Files []string
}

// Diff returns the changes as a unified diff. It is empty if there are none.
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

// edit plans that a file gets the content after, or that it is removed if after
// is nil. A file that has this content already is not planned.
func (p *Plan) edit(o Options, path string, after []byte, mode fs.FileMode) error {
	before, err := o.read(path)
	if err != nil {
		return err
	}
	inside, err := filepath.Rel(o.ownDir(), path)
	own := err == nil && filepath.IsLocal(inside)
	if before != nil && !own {
		p.Files = append(p.Files, path)
	}
	if (before == nil) == (after == nil) && bytes.Equal(before, after) {
		return nil
	}
	resolved, err := o.resolve(path)
	if err != nil {
		return err
	}
	c := Change{Path: resolved, Before: before, After: after, Mode: mode}
	if own {
		if c.ownDir, err = o.resolve(o.ownDir()); err != nil {
			return err
		}
	}
	p.Changes = append(p.Changes, c)
	return nil
}

// finish returns the plan with its changes in their final order. Files are
// planned before the configuration that names them. Removals are made the other
// way round, so that no configuration ever names a file that does not exist.
func (p *Plan) finish(o Options) *Plan {
	if o.Remove {
		slices.Reverse(p.Changes)
	}
	return p
}
