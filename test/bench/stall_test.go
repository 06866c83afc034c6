package bench

import (
	"bufio"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// BenchmarkStall measures how much a hostile container slows down another container.
// A hostile container that uses CPU time is also measured without a filter, for
// comparison.
func BenchmarkStall(b *testing.B) {
	s := newStand(b)
	s.compile("attacker", filepath.Join(s.rootfs, "attacker"))
	agent := runc.StartQuietAgent(b)
	w := s.container("", agent.Profile(b))
	table := newTable("an allowed bind, beside a hostile container")
	const (
		slowPages = "32 threads in 4 containers that bind without end " +
			"from pages that come after 3 ms"
		hammering = "1,000 processes that bind without end"
		unixNames = "8 threads that bind to AF_UNIX names without end"
		forks     = "1 process that forks without end"
		scans     = forks + ", and 8 that bind to AF_UNIX names without end"
		inEach    = ", in each of 4 containers"
		noFilter  = ", without a filter"
	)
	for range rounds {
		for _, other := range []struct {
			name       string
			containers int
			filtered   bool
			args       []string // of testdata/attacker.c
		}{
			{name: "no other container"},
			{"8 binds from pages that never come", 1, true, []string{"stuck", "8"}},
			{"200 binds from pages that never come", 1, true, []string{"stuck", "200"}},
			{slowPages + noFilter, 4, false, []string{"slow", "8"}},
			{slowPages, 4, true, []string{"slow", "8"}},
			{hammering + noFilter, 1, false, []string{"hammer", "1000"}},
			{hammering, 1, true, []string{"hammer", "1000"}},
			{unixNames + noFilter, 1, false, []string{"names", "8"}},
			{unixNames, 1, true, []string{"names", "8"}},
			{unixNames + inEach, 4, true, []string{"names", "8"}},
			{forks + noFilter, 1, false, []string{"scans", "0"}},
			{scans, 1, true, []string{"scans", "8"}},
			{forks + inEach + noFilter, 4, false, []string{"scans", "0"}},
			{scans + inEach, 4, true, []string{"scans", "8"}},
		} {
			var stops []func()
			for range other.containers {
				stops = append(stops, s.attack(agent, other.filtered, other.args))
			}
			m, _ := w.measure(b, scenario{other.name, "allowed", 1, 5000, 0, nil})
			table.add(other.name, m)
			for _, stop := range stops {
				stop()
			}
		}
	}
	table.print()
}

// attack starts a hostile container, with or without the filter. It returns once the
// container's calls are under way.
func (s *stand) attack(agent *runc.Agent, filtered bool, args []string) (stop func()) {
	s.b.Helper()
	addPtrace := func(spec *specs.Spec) {
		// With CAP_SYS_PTRACE, userfaultfd(2) holds up the kernel's own reads, too.
		has := spec.Process.Capabilities
		for _, set := range []*[]string{&has.Bounding, &has.Effective, &has.Permitted} {
			*set = append(*set, "CAP_SYS_PTRACE")
		}
	}
	config := runc.Config{
		Rootfs:  s.rootfs,
		Args:    append([]string{"/attacker"}, args...),
		Runtime: runc.Runtime{Mend: addPtrace},
	}
	if filtered {
		config.Seccomp = agent.Profile(s.b)
		config.Annotations = map[string]string{"port-restricter.port": "5000"}
	}
	container := runc.New(s.b, config)
	command := container.RunCommand()
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	require.NoError(s.b, err)
	require.NoError(s.b, command.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(s.b, err)
	require.Equal(s.b, "begun\n", line)
	return func() {
		container.Delete(s.b)
		_ = command.Wait()
	}
}
