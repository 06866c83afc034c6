package inquiry

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// textLimit bounds a text in bytes: annotations can be long, and are in some reasons.
const textLimit = 2048

// Printable returns a text for a terminal or a log: it is not too long, and control characters are
// escaped, also invisible ones and those that turn the direction of what follows.
func Printable(text string) string {
	if len(text) > textLimit {
		text = strings.ToValidUTF8(text[:textLimit], "") + "…"
	}
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	// An invalid byte can be a control character to a terminal: 0x9b is one.
	if utf8.ValidString(text) && !strings.ContainsFunc(text, hidden) {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
