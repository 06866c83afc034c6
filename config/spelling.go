package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
)

const (
	// ownName is what keys begin with, without the dot.
	ownName = "port-restricter"

	// maxEdits is how many letters of ownName may be wrong in a key that counts as
	// misspelt. Two letters that are swapped count as two.
	maxEdits = 2
)

// checkSpelling returns an error if a key is nearly one of port-restricter. Without
// that, a slip of the pen would leave a container without its limit, and nobody would
// know.
func checkSpelling(values map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if right, misspelt := respell(key); misspelt {
			return fmt.Errorf("%q is misspelt: write %s", key, right)
		}
	}
	return nil
}

// respell reports whether a key is not one of port-restricter, but begins with nearly
// the same text: it differs in the case of letters, in what separates the words, or in
// up to maxEdits letters. right is how to spell the key.
func respell(key string) (right string, misspelt bool) {
	if strings.HasPrefix(key, KeyPrefix) {
		return "", false
	}
	lower := []rune(strings.ToLower(key))
	best := maxEdits + 1
	var rest []rune
	for end := len(ownName) - maxEdits; end <= len(ownName)+maxEdits && end <= len(lower); end++ {
		whole := end == len(lower) || !unicode.IsLetter(lower[end])
		edits := levenshtein.ComputeDistance(string(lower[:end]), ownName)
		if slices.Contains(lower[:end], '.') {
			edits++ // x.port-restricter.port is rather a name in the domain x
		}
		if edits < best && (whole || edits == 0) {
			best, rest = edits, lower[end:]
		}
	}
	if best > maxEdits {
		return "", false
	}
	// What comes after a slash is the name of a container.
	word, name, named := strings.Cut(strings.TrimLeftFunc(string(rest), isSeparator), "/")
	plain := KeyPrefix + word
	if !slices.Contains(metadataKeys, plain) {
		return "one of " + strings.Join(metadataKeys, ", "), true
	}
	if named {
		plain += "/" + name
	}
	return plain, true
}

func isSeparator(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
