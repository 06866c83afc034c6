// Package probes attacks port-restricter: each C program is one way around it,
// or one thing that must work under it as without it. All of them run on the
// bare kernel, too, so that each attack is known to do harm where nothing holds it.
package probes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

func TestProbes(t *testing.T) {
	all := readProbes(t)
	s := newStand(t, all)
	ways := s.ways()
	rows := map[string][]string{}
	// Last, so that it comes after the subtests' output.
	t.Cleanup(func() { t.Log(table(ways, all, rows)) })
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			results := map[string]runc.Result{}
			for _, w := range ways {
				t.Run(w.name, func(t *testing.T) {
					row := "failed"
					defer func() { rows[p.name] = append(rows[p.name], row) }()
					result := w.run(t, p)
					// A race is won now and then, less on a busy machine.
					for range 5 {
						if p.attack && w.name == "bare" && result.Code == holds {
							result = w.run(t, p)
						}
					}
					results[w.name] = result
					row = word(result.Code)
					if w.baseline == "" {
						requireKnown(t, p, w, result)
					} else {
						requireHeld(t, p, w, result, results[w.baseline])
					}
				})
			}
		})
	}
}

func newStand(t *testing.T, all []probe) *stand {
	dir, err := os.MkdirTemp("", "probes-") // t.TempDir is closed to other users
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	s := &stand{dir: dir, rootfs: filepath.Join(dir, "rootfs"), binary: filepath.Join(dir, "port-restricter")}
	require.NoError(t, os.Mkdir(s.rootfs, 0o755))
	binary, err := os.ReadFile(runc.Binary(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.binary, binary, 0o755))
	for _, p := range all {
		p.compile(t, s.program(p))
	}
	s.agent = runc.StartAgent(t)
	s.podman = startPodman(t, s, all)
	return s
}

// requireKnown: a behaviour works without us, and an attack does harm. As an
// ordinary user, or in a container, what is not allowed can hold an attack.
func requireKnown(t *testing.T, p probe, w way, got runc.Result) {
	t.Helper()
	switch {
	case got.Code == notApplicable:
		t.Logf("not applicable: %s", got.Stderr)
	case p.attack && w.name == "bare":
		require.Equal(t, broken, got.Code, "the attack does no harm on the bare kernel: %s", got.Stderr)
	case p.attack:
		require.Contains(t, []int{holds, broken}, got.Code, got.Stderr)
	default:
		require.Equal(t, holds, got.Code, got.Stderr)
	}
}

func requireHeld(t *testing.T, p probe, w way, got, baseline runc.Result) {
	t.Helper()
	if got.Code == notApplicable {
		require.Equal(t, notApplicable, baseline.Code, "not applicable only under port-restricter: %s", got.Stderr)
		t.Logf("not applicable, as on the bare kernel: %s", got.Stderr)
		return
	}
	require.Contains(t, p.allowed(w.name), got.Code, "status %d: %s", got.Code, got.Stderr)
	if p.compare && got.Code == holds {
		require.Equal(t, baseline.Stdout, got.Stdout, "it prints something else on the bare kernel")
	}
}

func word(code int) string {
	known := map[int]string{holds: "holds", broken: "BROKEN", 2: "ERROR", 3: "differs", notApplicable: "n/a"}
	if w, ok := known[code]; ok {
		return w
	}
	return fmt.Sprintf("exit %d", code)
}

func table(ways []way, all []probe, rows map[string][]string) string {
	var out strings.Builder
	line := func(name string, cells []string) {
		fmt.Fprintf(&out, "\n%-34s", name)
		for _, cell := range cells {
			fmt.Fprintf(&out, " %-9s", cell)
		}
	}
	var names []string
	for _, w := range ways {
		names = append(names, w.name)
	}
	line("probe", names)
	for _, p := range all {
		if cells := rows[p.name]; cells != nil {
			line(p.name, cells)
		}
	}
	return out.String()
}
