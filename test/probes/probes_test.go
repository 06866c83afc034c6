// Package probes attacks port-restricter. Each C program in testdata is a probe: an
// attack, which tries to get around the policy, or a behaviour, which must be the
// same under port-restricter as on the bare kernel. All probes run on the bare kernel
// too, to show that each attack does harm where nothing holds it.
package probes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// TestProbes shows that under port-restricter no attack does harm and every behaviour is
// that of the bare kernel, in every way of running a program under port-restricter.
func TestProbes(t *testing.T) {
	all := readProbes(t)
	s := newStand(t, all)
	ways := selected(t, s.ways())
	rows := map[string][]outcome{}
	// In a cleanup, so that the table comes after the output of the subtests.
	t.Cleanup(func() {
		t.Log(table(ways, all, rows))
		writeResults(t, ways, rows)
	})
	reasons := inapplicable(t)
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			if reason := reasons[p.arch]; reason != "" {
				t.Log("not applicable: " + reason)
				no := outcome{word(notApplicable), reason}
				rows[p.name] = slices.Repeat([]outcome{no}, len(ways))
				return
			}
			results := map[string]runc.Result{}
			for _, w := range ways {
				t.Run(w.name, func(t *testing.T) {
					row := outcome{Word: "failed"}
					defer func() {
						if t.Failed() && row.Word == word(holds) {
							row.Word = "failed"
						}
						rows[p.name] = append(rows[p.name], row)
					}()
					result := w.run(t, p)
					// An attack that is a race does not win every time, and less often on a
					// busy machine.
					for range 20 {
						if p.attack && w.name == "bare" && result.Code == holds {
							result = w.run(t, p)
						}
					}
					results[w.name] = result
					row = outcome{word(result.Code), strings.TrimSpace(result.Stderr)}
					if w.baseline == "" {
						requireBaseline(t, p, w, result)
					} else {
						requireHeld(t, p, w, result, results[w.baseline])
					}
				})
			}
		})
	}
}

// newStand compiles all probes and starts an agent.
func newStand(t *testing.T, all []probe) *stand {
	s := standWith(t, all)
	s.agent = runc.StartAgent(t)
	s.podman = startPodman(t, s, all)
	return s
}

// standOf returns a stand with the named probes, and without an agent.
func standOf(t *testing.T, names ...string) *stand {
	return standWith(t, slices.DeleteFunc(readProbes(t), func(p probe) bool {
		return !slices.Contains(names, p.name)
	}))
}

// standWith compiles the probes.
func standWith(t *testing.T, all []probe) *stand {
	dir, err := os.MkdirTemp("", "probes-") // other users may not enter t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	s := &stand{
		dir:    dir,
		rootfs: filepath.Join(dir, "rootfs"),
		binary: runc.Install(t, dir),
		probes: make(map[string]probe),
	}
	require.NoError(t, os.Mkdir(s.rootfs, 0o755))
	for _, p := range all {
		p.install(t, s.program(p))
		s.probes[p.name] = p
	}
	return s
}

// requireBaseline checks a result without port-restricter: a behaviour is as expected,
// and an attack does harm. For an ordinary user or in a container an attack need not
// do harm, since it may lack a privilege that it needs.
func requireBaseline(t *testing.T, p probe, w way, got runc.Result) {
	t.Helper()
	switch {
	case got.Code == notApplicable:
		t.Logf("not applicable: %s", got.Stderr)
	case p.attack && w.name == "bare":
		require.Equal(t, broken, got.Code,
			"the attack did no harm on the bare kernel, so the probe tests nothing: %s", got.Stderr)
	case p.attack:
		require.Contains(t, []int{holds, broken}, got.Code,
			"the attack could not run without port-restricter: %s", got.Stderr)
	default:
		require.Equal(t, holds, got.Code,
			"the behaviour is not as expected even without port-restricter: %s", got.Stderr)
	}
}

// requireHeld checks a result under port-restricter. baseline is the result of the same
// probe in the same place without port-restricter.
func requireHeld(t *testing.T, p probe, w way, got, baseline runc.Result) {
	t.Helper()
	if got.Code == notApplicable {
		require.Equal(t, notApplicable, baseline.Code,
			"the probe is applicable without port-restricter, but not under it: %s", got.Stderr)
		t.Logf("not applicable, as without port-restricter: %s", got.Stderr)
		return
	}
	require.Contains(t, p.allowed(w.name), got.Code,
		"exit status %d (%s): %s", got.Code, word(got.Code), got.Stderr)
	if p.compare && got.Code == holds {
		require.Equal(t, baseline.Stdout, got.Stdout,
			"the probe prints something else without port-restricter")
	}
}

// word returns the table's word for an exit status.
func word(code int) string {
	words := map[int]string{
		holds:         "holds",
		broken:        "BROKEN",
		2:             "ERROR",
		3:             "differs",
		notApplicable: "n/a",
	}
	if w, ok := words[code]; ok {
		return w
	}
	return fmt.Sprintf("exit %d", code)
}

// table returns the results of all probes, a line each.
func table(ways []way, all []probe, rows map[string][]outcome) string {
	var out strings.Builder
	line := func(name string, cells []outcome) {
		fmt.Fprintf(&out, "\n%-34s", name)
		for _, cell := range cells {
			fmt.Fprintf(&out, " %-9s", cell.Word)
		}
	}
	var names []outcome
	for _, w := range ways {
		names = append(names, outcome{Word: w.name})
	}
	line("probe", names)
	for _, p := range all {
		if cells := rows[p.name]; cells != nil {
			line(p.name, cells)
		}
	}
	return out.String()
}

// An outcome is how a probe ended in one way: the table's word for it, and what the probe said.
type outcome struct{ Word, Why string }

// writeResults writes the results to the file that the flag -results names.
func writeResults(t *testing.T, ways []way, rows map[string][]outcome) {
	t.Helper()
	if *resultsFile == "" {
		return
	}
	results := map[string]map[string]outcome{} // probe → way → outcome
	for name, cells := range rows {
		results[name] = map[string]outcome{}
		for i, cell := range cells {
			results[name][ways[i].name] = cell
		}
	}
	text, err := json.Marshal(results)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(*resultsFile, text, 0o644))
}
