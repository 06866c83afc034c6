package shim

import (
	"strings"
	"testing"
)

// Whatever stands around it, create is not missed.
func FuzzUnderstand(f *testing.F) {
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
				return // could be another command
			}
		}
		args := append(append(lines(before), "create"), lines(behind)...)
		for _, arg := range lines(before) {
			if arg != "--" && strings.HasPrefix(arg, "-") && takesNext(arg) {
				return // create is its value
			}
		}
		if len(ParseArguments(args).Configs) == 0 {
			t.Fatalf("%q creates nothing", args)
		}
	})
}

func takesNext(option string) bool {
	all := readings(globalOptions, []string{option, "create"}, 0)
	for _, r := range all {
		if r.next == 1 {
			return false
		}
	}
	return true
}
