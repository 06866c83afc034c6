package probes

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The exit statuses of a probe. They are those of probe.h.
const (
	holds         = 0
	broken        = 1
	notApplicable = 77
)

// A probe is a C program, with what the markers in the comment at its top say. The
// markers are explained in probe.h.
type probe struct {
	name, source string
	attack       bool // otherwise a behaviour
	i386         bool // a 32-bit program
	compare      bool // its output must be that of the bare kernel
	ports        string
	expect       map[string][]int // way → the exit statuses that are right there
}

var marker = regexp.MustCompile(
	`(?m)^ \* (kind|ports|arch|compare|expect [a-z-]+): ([][\w,|:.*-]+)`)

// readProbes returns the probes in testdata.
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
		require.Contains(t, []string{"attack", "behaviour"}, kind,
			`%s: its first comment needs a line "kind: attack" or "kind: behaviour"`, source)
		p.attack = kind == "attack"
		all = append(all, p)
	}
	return all
}

// compile makes a static program, which needs no libraries in the root directory
// where it runs.
func (p probe) compile(t *testing.T, program string) {
	t.Helper()
	args := []string{"-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
		"-static", "-pthread", "-o", program, p.source}
	if p.i386 {
		args = append(args, "-m32")
	}
	out, err := exec.Command("gcc", args...).CombinedOutput()
	require.NoError(t, err, "compile %s: %s", p.source, out)
}

// runs32Bit reports whether the kernel runs 32-bit programs at all. A kernel can be
// built, or started, without them; then a 32-bit probe is not applicable.
func runs32Bit(t *testing.T) bool {
	t.Helper()
	dir := t.TempDir()
	source, program := filepath.Join(dir, "nothing.c"), filepath.Join(dir, "nothing")
	require.NoError(t, os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o600))
	out, err := exec.Command("gcc", "-m32", "-static", "-o", program, source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	err = exec.Command(program).Run()
	if errors.Is(err, syscall.ENOEXEC) {
		return false
	}
	require.NoError(t, err)
	return true
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
