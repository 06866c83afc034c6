package engines

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
)

// A block of ours in a file of somebody else's. It begins with a line end, so
// that cutting it out leaves the very text that was before, whether or not that
// ended with one.
const (
	blockOpen  = "\n# port-restricter configure: begin\n"
	blockClose = "# port-restricter configure: end\n"
)

// keepBlock puts a block at the end of rest; but one that is in text already and
// says the same stays where it is.
func keepBlock(text, rest []byte, block string) []byte {
	whole := []byte(blockOpen + block + blockClose)
	if bytes.Contains(text, whole) {
		return text
	}
	return slices.Concat(rest, whole)
}

func cutBlock(text []byte) []byte {
	before, rest, opened := bytes.Cut(text, []byte(blockOpen))
	_, after, closed := bytes.Cut(rest, []byte(blockClose))
	if !opened || !closed {
		return text
	}
	cut := append([]byte{}, before...) // never nil, which would be no file
	if len(after) > 0 && len(cut) > 0 && cut[len(cut)-1] != '\n' {
		cut = append(cut, '\n') // somebody wrote behind us
	}
	return append(cut, after...)
}

var (
	importsOpen = regexp.MustCompile(`(?m)^[ \t]*imports[ \t]*=[ \t]*\[`)
	versionLine = regexp.MustCompile(`(?m)^[ \t]*version[ \t]*=[ \t]*[0-9]+[ \t]*(#.*)?`)
)

// importLine is put behind the version's in a file without imports.
func importLine(path string) string {
	return "\nimports = [" + strconv.Quote(path) + "] # port-restricter configure"
}

// addImport puts path first in imports. The text is searched for what it most
// often looks like; reading the result makes sure that it was that.
func addImport(text []byte, path string) ([]byte, error) {
	before, err := parseTable("it", text)
	if err != nil {
		return nil, err
	}
	at, insert := importsOpen.FindIndex(text), strconv.Quote(path)
	if imports := texts(before["imports"]); len(imports) > 0 && at != nil {
		insert += ","
		if !bytes.HasPrefix(text[at[1]:], []byte("\n")) {
			insert += " "
		}
	}
	if _, said := before["imports"]; !said {
		at, insert = versionLine.FindIndex(text), importLine(path)
	}
	if at == nil {
		return nil, errors.New("the place for imports was not found")
	}
	edited := slices.Concat(text[:at[1]], []byte(insert), text[at[1]:])
	after, err := parseTable("it", edited)
	if err != nil {
		return nil, fmt.Errorf("the place for imports was not found: %w", err)
	}
	wanted := merge(before, table{"imports": append([]any{path}, array(before["imports"])...)})
	if !reflect.DeepEqual(after, wanted) {
		return nil, errors.New("the place for imports was not found")
	}
	return edited, nil
}

// cutImport is the reverse of addImport. It leaves an entry that somebody has
// moved or written himself.
func cutImport(text []byte, path string) []byte {
	if before, after, found := bytes.Cut(text, []byte(importLine(path))); found {
		return slices.Concat(before, after)
	}
	at := importsOpen.FindIndex(text)
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

func array(value any) []any {
	elements, _ := value.([]any)
	return elements
}
