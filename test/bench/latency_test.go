package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/hook/filter"
	"github.com/port-restricter/port-restricter/test/runc"
)

// rounds is how often each way is measured, one after the other each time, so
// that what else the machine does meets them alike.
const rounds = 5

// A scenario is what testdata/caller.c is asked to do.
type scenario struct {
	title     string
	kind      string
	processes int
	count     int
}

var scenarios = []scenario{
	{"an allowed bind", "allowed", 1, 20000},
	{"an allowed bind after 40 ms of silence", "seldom", 1, 25},
	{"an allowed bind, 2 processes at once", "allowed", 2, 10000},
	{"an allowed bind, 8 processes at once", "allowed", 8, 3000},
	{"a bind to another port", "denied", 1, 20000},
	{"a bind to a path (AF_UNIX)", "unix", 1, 1000},
	{"getppid, which no filter asks about", "getppid", 1, 500},
}

// BenchmarkLatency prints a table for each scenario.
func BenchmarkLatency(b *testing.B) {
	s := newStand(b)
	ways := s.ways()
	for i, c := range scenarios {
		table := compare(b, ways, c)
		if path := os.Getenv(plotVariable); path != "" && i == 0 {
			require.NoError(b, table.plot(path))
		}
	}
}

// BenchmarkMerged is what our rules cost the other calls of a container that
// has podman's default profile anyway.
func BenchmarkMerged(b *testing.B) {
	const base = "../../hook/testdata/podman-default.json"
	s := newStand(b)
	alone, err := filter.ReadProfile(base)
	require.NoError(b, err)
	agent := runc.StartQuietAgent(b)
	ways := []way{s.container("podman's profile", alone), s.container("the same with ours", agent.Profile(b, "--base", base))}
	compare(b, ways, scenario{"getppid in a container", "getppid", 1, 2000})
}

// compare prints the table of a scenario.
func compare(b *testing.B, ways []way, c scenario) *table {
	b.Helper()
	table := newTable(c.title)
	for range rounds {
		for _, w := range ways {
			if m, ok := w.measure(b, c); ok {
				table.add(w.name, m)
			}
		}
	}
	table.print()
	return table
}

// BenchmarkStart is what a program's start takes longer.
func BenchmarkStart(b *testing.B) {
	s := newStand(b)
	for _, program := range [][]string{{"true"}, {"nginx", "-t", "-q", "-c", s.nginx()}} {
		table := newTable("the start of " + program[0])
		for range rounds {
			for _, w := range []way{s.bare(), s.run()} {
				table.add(w.name, timed(20, func() {
					out, err := w.command(program...).CombinedOutput()
					require.NoError(b, err, "%s", out)
				}))
			}
		}
		table.print()
	}
}

// A measurement is of one round.
type measurement struct{ mean, p50, p99 time.Duration }

func timed(count int, do func()) measurement {
	var took []time.Duration
	var sum time.Duration
	for range count {
		start := time.Now()
		do()
		took = append(took, time.Since(start))
		sum += took[len(took)-1]
	}
	slices.Sort(took)
	return measurement{sum / time.Duration(count), took[count/2], took[count*99/100]}
}

// A way is one to hold a program to its port, or not to.
type way struct {
	name string
	// command is a program as it is called to run that way.
	command func(program ...string) *exec.Cmd
	// lacks are the kinds of calls that it can't decide on.
	lacks []string
	// alone says that it serves the first process only.
	alone bool
}

func (w way) measure(b *testing.B, c scenario) (m measurement, ok bool) {
	b.Helper()
	if slices.Contains(w.lacks, c.kind) || w.alone && c.processes > 1 {
		return m, false
	}
	command := w.command("caller", c.kind, fmt.Sprint(c.processes), fmt.Sprint(c.count))
	command.Stderr = os.Stderr
	out, ended := command.Output() // the C original ends with 1 in any case
	_, err := fmt.Sscan(string(out), &m.mean, &m.p50, &m.p99)
	require.NoError(b, err, "%s: %s: %v: %q", w.name, c.title, ended, out)
	return m, true
}

// nginx is a configuration that ends the start of nginx -t without a bind.
func (s *stand) nginx() string {
	path := filepath.Join(s.dir, "nginx.conf")
	text := fmt.Sprintf("pid %[1]s/pid; error_log %[1]s/log; events {} http { access_log off; server { listen 5000; } }", s.dir)
	require.NoError(s.b, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func words(text string) []string { return strings.Fields(text) }
