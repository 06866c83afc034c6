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

// rounds is how often each way is measured. A round measures every way once, so that
// whatever else the machine does disturbs all of them alike.
const rounds = 5

// A scenario says what testdata/caller.c does, in how many processes and how often in
// each, and what testdata/neighbours.c does meanwhile, if anything.
type scenario struct {
	title     string
	kind      string
	processes int
	count     int
	pause     int // before each call, in ms, as before a program's first and only bind
	beside    []string
}

var scenarios = []scenario{
	{"an allowed bind", "allowed", 1, 20000, 0, nil},
	{"an allowed bind after 40 ms of silence", "allowed", 1, 25, 40, nil},
	{"an allowed bind, 2 processes at the same time", "allowed", 2, 10000, 0, nil},
	{"an allowed bind, 8 processes at the same time", "allowed", 8, 3000, 0, nil},
	{"a bind to another port", "denied", 1, 20000, 0, nil},
	{"a bind to a path (AF_UNIX)", "unix", 1, 1000, 0, nil},
	{"a bind to a path of the container's own file system (AF_UNIX)", "shm", 1, 1000, 0, nil},
	{"a bind to a path (AF_UNIX) by a process with two threads", "threaded", 1, 500, 0, nil},
	{
		"a bind to a path (AF_UNIX) by a process with two threads, after 40 ms of silence",
		"threaded", 1, 25, 40, nil,
	},
	{
		"a bind to a path (AF_UNIX) beside 1,000 other processes", "unix", 1, 200, 0,
		[]string{"idle", "1000"},
	},
	{
		"a bind to a path (AF_UNIX) while 1,000 processes a second are created", "unix", 1, 200, 0,
		[]string{"create", "1000"},
	},
	{"getppid, which no filter asks about", "getppid", 1, 500, 0, nil},
}

// BenchmarkLatency measures a call of each scenario in every way, and prints a table
// for each scenario.
func BenchmarkLatency(b *testing.B) {
	s := newStand(b)
	ways := s.ways()
	s.compile("neighbours", filepath.Join(s.dir, "neighbours"))
	for i, c := range scenarios {
		stop := s.startNeighbours(c.beside)
		table := compare(b, ways, c)
		stop()
		if path := os.Getenv(plotVariable); path != "" && i == 0 {
			require.NoError(b, table.plot(path))
		}
	}
}

// startNeighbours starts what a scenario is measured beside.
func (s *stand) startNeighbours(args []string) (stop func()) {
	s.b.Helper()
	if args == nil {
		return func() {}
	}
	neighbours := exec.Command(filepath.Join(s.dir, "neighbours"), args...)
	require.NoError(s.b, neighbours.Start())
	time.Sleep(time.Second) // it has begun
	return func() {
		_ = neighbours.Process.Kill()
		_ = neighbours.Wait()
	}
}

// BenchmarkMerged measures what port-restricter's rules cost the other system calls
// of a container that has podman's default profile anyway.
func BenchmarkMerged(b *testing.B) {
	const base = "../../hook/filter/testdata/podman-default.json"
	s := newStand(b)
	alone, err := filter.ReadProfile(base)
	require.NoError(b, err)
	agent := runc.StartQuietAgent(b)
	ways := []way{
		s.container("podman's profile", alone),
		s.container("podman's profile and port-restricter's", agent.Profile(b, "--base", base)),
	}
	compare(b, ways, scenario{"getppid in a container", "getppid", 1, 2000, 0, nil})
}

// compare measures a scenario in each way, and prints and returns its table.
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

// BenchmarkStart measures how much longer a program takes to start.
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

// A measurement is the mean, the median and the 99th percentile of one round.
type measurement struct{ mean, p50, p99 time.Duration }

// timed calls do count times, and returns how long a call took.
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

// A way is a way to run a program, restricted to a port or unrestricted.
type way struct {
	name string
	// command returns the command that runs a program this way.
	command func(program ...string) *exec.Cmd
	// lacks lists the kinds of calls that cannot be measured this way.
	lacks []string
	// alone means that only the first process of the program is served.
	alone bool
}

// measure runs a scenario once. ok is false if the way does not support it.
func (w way) measure(b *testing.B, c scenario) (m measurement, ok bool) {
	b.Helper()
	if slices.Contains(w.lacks, c.kind) || w.alone && c.processes > 1 {
		return m, false
	}
	command := w.command("caller", c.kind, fmt.Sprint(c.processes), fmt.Sprint(c.count),
		fmt.Sprint(c.pause))
	command.Stderr = os.Stderr
	out, ended := command.Output() // the C original's exit status is 1 in any case
	_, err := fmt.Sscan(string(out), &m.mean, &m.p50, &m.p99)
	require.NoError(b, err, "%s, %s: the caller ended with %v and printed %q",
		w.name, c.title, ended, out)
	return m, true
}

// nginx writes a configuration that nginx -t can test without a bind, and returns its
// path.
func (s *stand) nginx() string {
	path := filepath.Join(s.dir, "nginx.conf")
	text := fmt.Sprintf("pid %[1]s/pid; error_log %[1]s/log; events {} "+
		"http { access_log off; server { listen 5000; } }", s.dir)
	require.NoError(s.b, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func words(text string) []string { return strings.Fields(text) }
