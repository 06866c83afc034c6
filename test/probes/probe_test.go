package probes

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Exit statuses of probe.h.
const (
	holds         = 0
	broken        = 1
	notApplicable = 77
)

// A probe is a C program, with what the comments at its top say of it.
type probe struct {
	name, source string
	attack       bool
	i386         bool
	compare      bool
	ports        string
	expect       map[string][]int // way → exit statuses that are right there
}

var marker = regexp.MustCompile(`(?m)^// (kind|ports|arch|compare|expect [a-z-]+): ([\w,|:.-]+)`)

func readProbes(t *testing.T) (all []probe) {
	t.Helper()
	sources, err := filepath.Glob("testdata/*.c")
	require.NoError(t, err)
	require.NotEmpty(t, sources)
	for _, source := range sources {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		p := probe{name: strings.TrimSuffix(filepath.Base(source), ".c"), source: source, ports: "5000", expect: map[string][]int{}}
		kind := ""
		for _, m := range marker.FindAllStringSubmatch(string(text), -1) {
			switch key, value := m[1], m[2]; key {
			case "kind":
				kind = value
			case "ports":
				p.ports = value
			case "arch":
				require.Equal(t, "i386", value, source)
				p.i386 = true
			case "compare":
				require.Equal(t, "stdout", value, source)
				p.compare = true
			default:
				for code := range strings.SplitSeq(value, "|") {
					n, err := strconv.Atoi(code)
					require.NoError(t, err, source)
					way := strings.TrimPrefix(key, "expect ")
					p.expect[way] = append(p.expect[way], n)
				}
			}
		}
		require.Contains(t, []string{"attack", "behaviour"}, kind, "%s: no line // kind: attack, or behaviour", source)
		p.attack = kind == "attack"
		all = append(all, p)
	}
	return all
}

// compile makes a static program, which runs in any root directory.
func (p probe) compile(t *testing.T, program string) {
	t.Helper()
	args := []string{"-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-static", "-pthread", "-o", program, p.source}
	if p.i386 {
		args = append(args, "-m32")
	}
	out, err := exec.Command("gcc", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// allowed are the exit statuses that are right for the probe when it is held.
func (p probe) allowed(way string) []int {
	if codes := p.expect[way]; codes != nil {
		return codes
	}
	if strings.HasPrefix(way, "podman") { // its runtime is runc
		return p.allowed("runc")
	}
	return []int{holds}
}
