package probes

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The exit statuses of a probe. They are those of probe.h.
const (
	holds         = 0
	broken        = 1
	notApplicable = 77
)

// The architectures that a probe can name.
const (
	x86  = "x86"
	i386 = "i386"
)

// A probe is a C program, with what the markers in the comment at its top say. The
// markers are explained in probe.h.
type probe struct {
	name, source string
	attack       bool   // otherwise a behaviour
	arch         string // x86, or i386 for a 32-bit program; "" if it runs everywhere
	compare      bool   // its output must be that of the bare kernel
	ports        string
	expect       map[string][]int // way → the exit statuses that are right there
}

var marker = regexp.MustCompile(
	`(?m)^ \* (kind|ports|arch|compare|expect [a-z-]+(?: before [\d.]+)?): ([][\w,|:.*-]+)`)

// readProbes returns the probes in testdata that are for this machine's processor.
func readProbes(t *testing.T) (all []probe) {
	t.Helper()
	sources, err := filepath.Glob("testdata/*.c")
	require.NoError(t, err)
	require.NotEmpty(t, sources)
	for _, source := range sources {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		p := probe{
			name:   strings.TrimSuffix(filepath.Base(source), ".c"),
			source: source,
			ports:  "5000",
			expect: map[string][]int{},
		}
		kind := ""
		for _, m := range marker.FindAllStringSubmatch(string(text), -1) {
			switch key, value := m[1], m[2]; key {
			case "kind":
				kind = value
			case "ports":
				p.ports = value
			case "arch":
				require.Contains(t, []string{x86, i386}, value, source)
				p.arch = value
			case "compare":
				require.Equal(t, "stdout", value, source)
				p.compare = true
			default:
				way, before, _ := strings.Cut(strings.TrimPrefix(key, "expect "), " before ")
				if before != "" && !olderThan(t, before) {
					continue
				}
				for code := range strings.SplitSeq(value, "|") {
					n, err := strconv.Atoi(code)
					require.NoError(t, err, source)
					p.expect[way] = append(p.expect[way], n)
				}
			}
		}
		require.Contains(t, []string{"attack", "behaviour"}, kind,
			`%s: its first comment needs a line "kind: attack" or "kind: behaviour"`, source)
		p.attack = kind == "attack"
		if p.arch == "" || runtime.GOARCH == "amd64" {
			all = append(all, p)
		}
	}
	return all
}

// allowed returns the exit statuses that are right for the probe when it runs under
// port-restricter in this way.
func (p probe) allowed(way string) []int {
	if codes := p.expect[way]; codes != nil {
		return codes
	}
	if strings.HasPrefix(way, "podman") { // podman runs containers by runc
		return p.allowed("runc")
	}
	return []int{holds}
}

// olderThan reports whether this kernel is older than a version such as 6.9.
func olderThan(t *testing.T, version string) bool {
	t.Helper()
	var this unix.Utsname
	require.NoError(t, unix.Uname(&this))
	number := func(text string) (n int) {
		var major, minor int
		_, err := fmt.Sscanf(text, "%d.%d", &major, &minor)
		require.NoError(t, err, text)
		return major*1000 + minor
	}
	return number(unix.ByteSliceToString(this.Release[:])) < number(version)
}
