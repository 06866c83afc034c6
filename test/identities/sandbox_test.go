package identities

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// systemService returns the calls of the set @system-service (systemd.exec(5)).
func systemService(t *testing.T) (calls []string) {
	t.Helper()
	var add func(set string)
	add = func(set string) {
		out, err := exec.Command("systemd-analyze", "syscall-filter", set).Output()
		require.NoError(t, err, set)
		_, members, _ := strings.Cut(string(out), "\n")
		for line := range strings.Lines(members) {
			switch word := strings.TrimSpace(line); {
			case strings.HasPrefix(word, "@"):
				add(word)
			case word != "" && !strings.HasPrefix(word, "#"):
				calls = append(calls, word)
			}
		}
	}
	add("@system-service")
	return calls
}

var setting = regexp.MustCompile(`SystemCallFilter=([a-z_ ]+);`)

// TestTheSettingThatIsNamedMendsASystemCallFilter shows that the command line says which
// calls it needs in a unit that does not allow them, and that it serves as without a filter
// once they are allowed. The list is also in docs/limits.md.
func TestTheSettingThatIsNamedMendsASystemCallFilter(t *testing.T) {
	s := newStand(t)
	filter := filepath.Join(s.dir, "filter")
	out, err := exec.Command(
		"gcc", "-Wall", "-Werror", "-o", filter, "testdata/filter.c", "-lseccomp").CombinedOutput()
	require.NoError(t, err, "%s", out)
	const required, further = "seccomp pidfd_getfd",
		" landlock_create_ruleset landlock_add_rule landlock_restrict_self"
	for _, c := range []struct{ name, action, named string }{
		{"killed", "kill", required + further},
		{"EPERM", "1", required},
		{"ENOSYS", "38", required},
	} {
		for _, as := range []string{"env", user} {
			t.Run(c.name+" "+as, func(t *testing.T) {
				who := strings.Fields(as)
				under := func(calls []string) []string {
					return append(who, filter, c.action, strings.Join(calls, " "))
				}
				calls := systemService(t)
				result := s.run(t, under(calls), s.commandLine(), []string{"true"})
				require.Equal(t, 125, result.Code, result.Stderr)
				said := setting.FindStringSubmatch(result.Stderr)
				require.NotNil(t, said, result.Stderr)
				require.Equal(t, c.named, said[1])
				require.Len(t, strings.Split(strings.TrimSpace(result.Stderr), "\n"), 1)

				calls = append(calls, said[1])
				want := maps.Clone(s.ends(t, under(calls)))
				want["another_port"] = "EPERM"
				require.Equal(t, want, s.ends(t, under(calls), s.commandLine()))
			})
		}
	}
}
