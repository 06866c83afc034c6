package engines

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
)

// An ownFile is a file that belongs to port-restricter as a whole.
type ownFile struct {
	path string
	text []byte
	mode fs.FileMode
	// isOwn reports whether a file of this name is from an earlier run.
	isOwn func(text []byte) bool
	// isDropIn is set for a file in a directory of the engine, in whose text # begins a comment.
	isDropIn bool
}

// writeOwn plans the file, or its removal if Remove is set. A file of this name
// that port-restricter did not write is never touched: it is an error, or with
// Remove it is left alone.
func (p *Plan) writeOwn(o Options, file ownFile) error {
	before, err := o.read(file.path)
	if err != nil {
		return err
	}
	foreign := before != nil && !file.isOwn(before)
	switch {
	case foreign && o.Remove:
		return nil
	case foreign:
		resolved, _ := o.resolve(file.path)
		return fmt.Errorf("%s exists, but was not written by port-restricter configure: "+
			"move it away, then run this command again", resolved)
	case o.Remove:
		return p.removeOwn(o, file, before)
	}
	text := file.text
	if file.isDropIn {
		comment, err := o.madeComment(file.path, before)
		if err != nil {
			return err
		}
		text = append(slices.Clone(text), comment...)
	}
	return p.edit(o, file.path, text, file.mode)
}

// removeOwn plans that a file is removed, with the directories that were made for it if nothing
// else is in them.
func (p *Plan) removeOwn(o Options, file ownFile, before []byte) error {
	if err := p.edit(o, file.path, nil, 0); err != nil || before == nil || !file.isDropIn {
		return err
	}
	dir, err := o.madeDir(file.path, before)
	p.Changes[len(p.Changes)-1].ownDir = dir
	return err
}

// foreignRuntime returns the error for a runtime handler of the name Handler that
// port-restricter did not write.
func foreignRuntime(file, name string) error {
	return fmt.Errorf("%s has %s, which was not written by port-restricter configure: "+
		"remove it, then run this command again", file, name)
}

// marker is in every own file whose format has comments. Files of earlier versions
// are recognized by it, so it must not change.
const marker = "# Written by port-restricter configure "

// markerLine returns the comment at the top of an own file.
func markerLine(engine string) string {
	return marker + engine + "; add --remove to delete this file.\n"
}

func hasMarker(text []byte) bool { return bytes.Contains(text, []byte(marker)) }
