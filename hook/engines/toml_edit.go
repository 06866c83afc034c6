package engines

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// blockOpen and blockClose enclose the block that is added to a file of another
// program. The block begins with a line end, so that cutting it out leaves exactly
// the text that was there before, whether or not that ended with a line end.
//
// Blocks of earlier versions are found by these lines, so they must not change.
const (
	blockOpen  = "\n# port-restricter configure: begin\n"
	blockClose = "# port-restricter configure: end\n"
)

// keepBlock returns the text original with a block at its end. If text, the file as
// it is now, has the same block already, keepBlock returns text: the block stays
// where it is.
func keepBlock(text, original []byte, block string) []byte {
	whole := []byte(blockOpen + block + blockClose)
	if bytes.Contains(text, whole) {
		return text
	}
	return slices.Concat(original, whole)
}

// cutBlock returns the text without the block, or text if it has none.
func cutBlock(text []byte) []byte {
	before, rest, opened := bytes.Cut(text, []byte(blockOpen))
	_, after, closed := bytes.Cut(rest, []byte(blockClose))
	if !opened || !closed {
		return text
	}
	cut := append([]byte{}, before...) // never nil, which means that the file does not exist
	if len(after) > 0 && len(cut) > 0 && cut[len(cut)-1] != '\n' {
		cut = append(cut, '\n') // the administrator added text after the block
	}
	return append(cut, after...)
}

var (
	importsOpen = lazyregexp.New(`(?m)^[ \t]*imports[ \t]*=[ \t]*\[`)
	versionLine = lazyregexp.New(`(?m)^[ \t]*version[ \t]*=[ \t]*[0-9]+[ \t]*(#.*)?`)
)

// importLine returns the text that is put after the version line of a file that has
// no imports. Lines of earlier versions are found by it, so it must not change.
func importLine(path string) string {
	return "\nimports = [" + strconv.Quote(path) + "] # port-restricter configure"
}

// addImport returns text with path as the first entry of imports. It searches for
// the usual form of imports or, if there are none, of the version, and then parses
// the result, to make sure that it found the right place.
func addImport(text []byte, path string) ([]byte, error) {
	before, err := parseTable("the file", text)
	if err != nil {
		return nil, err
	}
	at, insert := importsOpen().FindIndex(text), strconv.Quote(path)
	if imports := stringsIn(before["imports"]); len(imports) > 0 && at != nil {
		insert += ","
		if !bytes.HasPrefix(text[at[1]:], []byte("\n")) {
			insert += " "
		}
	}
	if _, ok := before["imports"]; !ok {
		at, insert = versionLine().FindIndex(text), importLine(path)
	}
	if at == nil {
		return nil, errors.New("the place for the import was not found")
	}
	edited := slices.Concat(text[:at[1]], []byte(insert), text[at[1]:])
	after, err := parseTable("the edited text", edited)
	if err != nil {
		return nil, fmt.Errorf("the place for the import was not found: %w", err)
	}
	want := merge(before, table{"imports": append([]any{path}, asArray(before["imports"])...)})
	if !reflect.DeepEqual(after, want) {
		return nil, errors.New("the place for the import was not found")
	}
	return edited, nil
}

// cutImport is the reverse of addImport. It leaves an entry that the administrator
// wrote or moved.
func cutImport(text []byte, path string) []byte {
	if before, after, found := bytes.Cut(text, []byte(importLine(path))); found {
		return slices.Concat(before, after)
	}
	at := importsOpen().FindIndex(text)
	if at == nil {
		return text
	}
	rest, found := bytes.CutPrefix(text[at[1]:], []byte(strconv.Quote(path)))
	if !found {
		return text
	}
	rest, more := bytes.CutPrefix(rest, []byte(","))
	if more && !bytes.HasPrefix(rest, []byte("\n")) {
		rest = bytes.TrimPrefix(rest, []byte(" "))
	}
	return slices.Concat(text[:at[1]], rest)
}
