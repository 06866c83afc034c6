package inquiry

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// textLimit bounds a text in bytes: annotations can be long, and are in some reasons.
const textLimit = 2048

// Printable returns a text for a terminal, a log or a comment: it is not too long, and what is
// not printable is escaped. That is more than control characters: some programs take U+2028 for
// the end of a line, and U+202E turns a text around.
func Printable(text string) string {
	if len(text) > textLimit {
		text = strings.ToValidUTF8(text[:textLimit], "") + "…"
	}
	hidden := func(r rune) bool { return !strconv.IsPrint(r) }
	// An invalid byte can be a control character to a terminal: 0x9b is one.
	if utf8.ValidString(text) && !strings.ContainsFunc(text, hidden) {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
