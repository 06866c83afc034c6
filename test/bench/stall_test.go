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

// BenchmarkStall is what one container notices of another that means it harm.
// Where the other takes CPU time, its like without a filter is what to compare with.
func BenchmarkStall(b *testing.B) {
	s := newStand(b)
	s.compile("attacker", filepath.Join(s.rootfs, "attacker"))
	agent := runc.StartQuietAgent(b)
	w := s.container("", agent.Profile(b))
	table := newTable("an allowed bind, beside another container")
	for range rounds {
		for _, other := range []struct {
			name       string
			containers int
			held       bool
			args       []string
		}{
			{name: "nobody"},
			{"8 binds from pages that never come", 1, true, []string{"stuck", "8"}},
			{"200 binds from pages that never come", 1, true, []string{"stuck", "200"}},
			{"32 threads that bind without end from pages that come after 3 ms, not under us", 4, false, []string{"slow", "8"}},
			{"32 threads that bind without end from pages that come after 3 ms", 4, true, []string{"slow", "8"}},
			{"1,000 processes that bind without end, not under us", 1, false, []string{"hammer", "1000"}},
			{"1,000 processes that bind without end", 1, true, []string{"hammer", "1000"}},
			{"8 threads that bind to AF_UNIX names without end, not under us", 1, false, []string{"names", "8"}},
			{"8 threads that bind to AF_UNIX names without end", 1, true, []string{"names", "8"}},
			{"32 threads in 4 containers that do", 4, true, []string{"names", "8"}},
		} {
			var stops []func()
			for range other.containers {
				stops = append(stops, s.attack(agent, other.held, other.args))
			}
			m, _ := w.measure(b, scenario{other.name, "allowed", 1, 5000})
			table.add(other.name, m)
			for _, stop := range stops {
				stop()
			}
		}
	}
	table.print()
}

// attack returns once the attacker's calls are under way.
func (s *stand) attack(agent *runc.Agent, held bool, args []string) (stop func()) {
	s.b.Helper()
	config := runc.Config{Rootfs: s.rootfs, Args: append([]string{"/attacker"}, args...), Runtime: runc.Runtime{Mend: func(spec *specs.Spec) {
		// For userfaultfd(2) to hold up the kernel's own reads.
		for _, set := range []*[]string{&spec.Process.Capabilities.Bounding, &spec.Process.Capabilities.Effective, &spec.Process.Capabilities.Permitted} {
			*set = append(*set, "CAP_SYS_PTRACE")
		}
	}}}
	if held {
		config.Seccomp, config.Annotations = agent.Profile(s.b), map[string]string{"port-restricter.port": "5000"}
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
