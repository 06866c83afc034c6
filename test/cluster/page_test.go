package cluster

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A step is a command of a page and the lines that it prints, among others.
type step struct {
	command string
	prints  []*regexp.Regexp
}

// readPage returns the steps of each section of a page, and its sections in their order.
func readPage(t *testing.T, path string) (steps map[string][]step, sections []string) {
	t.Helper()
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	steps = map[string][]step{}
	section, inConsole, ends := "", false, ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSuffix(line, "\n")
		if !inConsole {
			inConsole = line == "```console"
			if title, found := strings.CutPrefix(line, "## "); found {
				section = title
			}
			continue
		}
		if line == "```" {
			inConsole = false
			continue
		}
		all := steps[section]
		if command, found := strings.CutPrefix(line, "$ "); found {
			if all == nil {
				sections = append(sections, section)
			}
			_, ends, _ = strings.Cut(command, "<<")
			steps[section] = append(all, step{command: command})
			continue
		}
		require.NotEmpty(t, all, "%s: a console that begins without a command: %s", path, line)
		last := &all[len(all)-1]
		if ends == "" {
			last.prints = append(last.prints, printed(line))
			continue
		}
		last.command += "\n" + line
		if line == ends {
			ends = ""
		}
	}
	return steps, sections
}

// printed returns what matches a line of a page. A word with a digit is an example of a name, a
// number or a time, and "…" stands for the rest.
func printed(line string) *regexp.Regexp {
	var words []string
	for _, word := range strings.Fields(line) {
		switch {
		case word == "…":
			words = append(words, ".*")
		case word == "Init:CrashLoopBackOff": // the kubelet has two names for it, by chance
			words = append(words, "Init:(CrashLoopBackOff|Error)")
		case strings.ContainsAny(word, "0123456789"):
			words = append(words, `\S+`)
		default:
			words = append(words, regexp.QuoteMeta(word))
		}
	}
	return regexp.MustCompile(`(?m)^` + strings.Join(words, `\s+`) + `\s*$`)
}

// isIn reports whether a command has printed what it should.
func (s step) isIn(out []byte) bool {
	for _, line := range s.prints {
		if !line.Match(out) {
			return false
		}
	}
	return true
}
