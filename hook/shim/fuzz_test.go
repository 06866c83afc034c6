package shim

import (
	"strings"
	"testing"
)

// FuzzParseArguments shows that the command create is found whatever arguments are
// around it. A create that is not found would start a container without the filter.
func FuzzParseArguments(f *testing.F) {
	f.Add("--root\n/r", "--bundle\n/b\nid")
	f.Add("--new\nvalue", "-b=/b\n--\nid")
	f.Add("--cgroup-m=x\n-v", "id\n-bundle")
	f.Add("--\n", "\n-\n---=")
	f.Fuzz(func(t *testing.T, before, behind string) {
		lines := func(text string) []string {
			if text == "" {
				return nil
			}
			return strings.SplitN(text, "\n", 20)
		}
		for _, arg := range lines(before) {
			if !isOption(arg) {
				return // this argument could be another command
			}
		}
		args := append(append(lines(before), "create"), lines(behind)...)
		for _, arg := range lines(before) {
			if arg != "--" && strings.HasPrefix(arg, "-") && takesNext(arg) {
				return // create is the value of this option
			}
		}
		if len(ParseArguments(args).Configs) == 0 {
			t.Fatalf("the container that %q creates was not found", args)
		}
	})
}

// takesNext reports whether an option takes the next argument for its value in every
// reading.
func takesNext(option string) bool {
	for _, r := range readings(globalOptions, []string{option, "create"}, 0) {
		if r.next == 1 {
			return false
		}
	}
	return true
}
