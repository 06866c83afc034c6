package probes

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The flags are for test/kernels. It compiles the probes here, and runs them in machines
// without a compiler.
var (
	compileInto = flag.String("compile", "", "compile the probes into this `directory`")
	compiler    = flag.String("cc", "gcc", "the C `compiler` for the processor of the probes")
	compiled    = flag.String("compiled", "", "run the probes that were compiled into `directory`")
	onlyWays    = flag.String("ways", "", "run the probes in these `ways`, all of them by default")
	resultsFile = flag.String("results", "", "write the results to this `file`, as JSON")
)

// TestCompile compiles the probes for another machine. TestProbes compiles its own.
func TestCompile(t *testing.T) {
	if *compileInto == "" {
		return
	}
	machine, err := exec.Command(*compiler, "-dumpmachine").Output()
	require.NoError(t, err)
	isX86 := strings.HasPrefix(string(machine), "x86_64")
	sources := newest(t, "testdata/*.[ch]")
	for _, p := range append(readProbes(t), nothing) {
		program := filepath.Join(*compileInto, p.name)
		if (isX86 || p.arch == "") && !newest(t, program).After(sources) {
			p.compile(t, program)
		}
	}
}

// newest returns when the newest of the files was written, or the zero time if there is none.
func newest(t *testing.T, pattern string) (at time.Time) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		if info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	return at
}

// nothing is a 32-bit program that does nothing.
var nothing = probe{
	name: "i386_nothing", source: "testdata/support/i386_nothing.c", arch: i386,
}

// install puts the compiled probe at a path.
func (p probe) install(t *testing.T, program string) {
	t.Helper()
	if *compiled == "" {
		p.compile(t, program)
		return
	}
	text, err := os.ReadFile(filepath.Join(*compiled, p.name))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, text, 0o755))
}

// compile makes a static program, which needs no libraries in the root directory
// where it runs.
func (p probe) compile(t *testing.T, program string) {
	t.Helper()
	args := []string{"-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
		"-static", "-pthread", "-o", program, p.source}
	if p.arch == i386 {
		args = append(args, "-m32")
	}
	out, err := exec.Command(*compiler, args...).CombinedOutput()
	require.NoError(t, err, "compile %s: %s", p.source, out)
}

// inapplicable returns why the probes of an architecture cannot run here, and "" if they
// can. A kernel for x86-64 can be built, or started, without 32-bit programs.
func inapplicable(t *testing.T) map[string]string {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		return nil
	}
	program := filepath.Join(t.TempDir(), nothing.name)
	nothing.install(t, program)
	err := exec.Command(program).Run()
	if errors.Is(err, syscall.ENOEXEC) {
		return map[string]string{i386: "the kernel runs no 32-bit programs"}
	}
	require.NoError(t, err)
	return nil
}

// selected returns the ways that the flag -ways names, all of them by default.
func selected(t *testing.T, ways []way) []way {
	t.Helper()
	if *onlyWays == "" {
		return ways
	}
	names := strings.Split(*onlyWays, ",")
	chosen := slices.DeleteFunc(ways, func(w way) bool { return !slices.Contains(names, w.name) })
	require.Len(t, chosen, len(names), "-ways %s", *onlyWays)
	return chosen
}
