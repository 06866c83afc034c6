package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"
)

// printJSON prints a value for a program, in a line or in many.
func printJSON(value any, indent string) error {
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	out.SetIndent("", indent)
	if err := out.Encode(value); err != nil {
		return err
	}
	_, err := os.Stdout.WriteString(escapeJSON(text.String()))
	return err
}

// escapeJSON escapes what a terminal does not show, which is in strings only. The JSON means the
// same.
func escapeJSON(text string) string {
	var escaped strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			escaped.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&escaped, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&escaped, `\u%04x`, r)
		}
	}
	return escaped.String()
}
