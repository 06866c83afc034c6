package inquiry

import (
	"strconv"
	"strings"
	"unicode"
)

// textLimit bounds a text in bytes: annotations can be long, and are in some reasons.
const textLimit = 2048

// Printable returns a text for a terminal or a log: it is not too long, and its control
// characters are escaped.
func Printable(text string) string {
	if len(text) > textLimit {
		text = strings.ToValidUTF8(text[:textLimit], "") + "…"
	}
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
