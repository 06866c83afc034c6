package strictjson

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// key reads the key of a member of the object at p.
func (w *walker) key(p *place) (string, error) {
	start := w.at
	key, err := w.str(p)
	if err != nil {
		return "", err
	}
	raw := w.text[start:w.at]
	for at := range escapes(raw) {
		if isNameRune(escaped(raw, at)) {
			return "", ambiguous(p, "the key %s is spelled with an escape that it does not need:"+
				" write %q", raw, key)
		}
	}
	return key, nil
}

// isNameRune reports whether no program has a reason to escape this character. Some escape
// every character that is not ASCII, others the slash, or characters that HTML knows.
func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		r == '.' || r == '-' || r == '_'
}

// str reads a string at p, which can also be a key of the object there.
func (w *walker) str(p *place) (string, error) {
	start := w.at
	for w.at++; w.text[w.at] != '"'; w.at++ {
		if w.text[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	raw := w.text[start:w.at]
	if !utf8.Valid(raw) {
		return "", ambiguous(p, "the string %q is not UTF-8", raw)
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	high := -1 // where the first half of a surrogate pair is, if it waits for the second
	for at := range escapes(raw) {
		r := escaped(raw, at)
		switch {
		case r == 0:
			return "", ambiguous(p, "the string %s has a NUL, at which it ends for programs"+
				" written in C: leave the NUL out", raw)
		case high >= 0 && at == high+len(`\uD800`) && utf16.IsSurrogate(r) && r >= 0xdc00:
			high = -1
		case high >= 0 || utf16.IsSurrogate(r) && r >= 0xdc00:
			return "", errHalfPair(p, raw)
		case utf16.IsSurrogate(r):
			high = at
		}
	}
	if high >= 0 {
		return "", errHalfPair(p, raw)
	}
	var text string
	return text, json.Unmarshal(raw, &text)
}

func errHalfPair(p *place, raw []byte) error {
	return ambiguous(p, "the string %s has half of a surrogate pair, which is no character", raw)
}

// escapes yields the indexes of the backslashes that begin an escape in a JSON string.
func escapes(raw []byte) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for at := 0; at < len(raw); at++ {
			if raw[at] != '\\' {
				continue
			}
			if !yield(at) {
				return
			}
			at++
		}
	}
}

// escaped returns the character, or the half of a surrogate pair, that the escape at raw[at:]
// is for.
func escaped(raw []byte, at int) rune {
	if raw[at+1] != 'u' {
		return rune("\"\\/\b\f\n\r\t"[strings.IndexByte(`"\/bfnrt`, raw[at+1])])
	}
	code, _ := strconv.ParseUint(string(raw[at+2:at+6]), 16, 16) // valid JSON has four digits here
	return rune(code)
}
