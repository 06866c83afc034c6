package identities

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAFileCapabilityOfPortRestricterIsTheCommands shows how a user without root gets port 80:
// by setcap(8) on port-restricter, which passes that capability on, and no other. On the
// command it counts for nothing, because of no_new_privs.
func TestAFileCapabilityOfPortRestricterIsTheCommands(t *testing.T) {
	s := newStand(t)
	setcap := func(file string) {
		const given = "cap_net_bind_service,cap_net_admin=ep"
		out, err := exec.Command("setcap", given, file).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	plain, err := os.ReadFile(s.program)
	require.NoError(t, err)
	setcap(s.program)
	as := strings.Fields(user)
	require.Equal(t, "works", s.ends(t, as)["low_port"])
	require.Equal(t, "EACCES", s.ends(t, as, s.commandLine())["low_port"])

	require.NoError(t, os.WriteFile(s.program, plain, 0o755)) // takes the capability away
	require.Equal(t, "EACCES", s.ends(t, as)["low_port"])
	setcap(s.binary)
	ends := s.ends(t, as, s.commandLine())
	require.Equal(t, "works", ends["low_port"])
	require.Equal(t, "works", ends["path_of_threads"])
	require.Equal(t, "EACCES", ends["low_port_without_capability"])
	status := s.run(t, as, s.commandLine(), []string{"grep", "CapEff", "/proc/self/status"})
	require.Equal(t, "CapEff:\t0000000000000400\n", status.Stdout) // CAP_NET_BIND_SERVICE
}

// TestAnAllowedPortThatTheCommandCannotHaveIsSaidAtTheStart shows in which cases the command
// line prints a line before it starts the command.
func TestAnAllowedPortThatTheCommandCannotHaveIsSaidAtTheStart(t *testing.T) {
	s := newStand(t)
	for _, c := range []struct{ as, ports, said string }{
		{"env", "80,443,5000", ""},
		{user, "80,443,1000-1100,5000", "a bind to 80,443 takes CAP_NET_BIND_SERVICE"},
		{user, "0,1000-1100,5000", ""},
		{user + "--inh-caps +net_bind_service --ambient-caps +net_bind_service", "80", ""},
		{"unshare --user --map-root-user", "80", "a bind to 80 takes CAP_NET_BIND_SERVICE"},
		{"unshare --user --map-root-user --net", "80", ""},
		{"sysctl -q net.ipv4.ip_unprivileged_port_start=80 && " + user, "80", ""},
	} {
		t.Run(c.as+" "+c.ports, func(t *testing.T) {
			shell := []string{"sh", "-c", c.as + ` "$@"`, "sh"}
			result := s.run(t, shell, []string{s.binary, "-p", c.ports, "--", "true"})
			require.Zero(t, result.Code, result.Stderr)
			if c.said == "" {
				require.Empty(t, result.Stderr)
				return
			}
			require.Contains(t, result.Stderr, c.said)
			require.Len(t, strings.Split(strings.TrimSpace(result.Stderr), "\n"), 1)
		})
	}
}

// TestYamaIsNamedIfItForbidsTheLookAtTheCommand shows what is said on a machine where Yama
// forbids it. A kernel without Yama gets its file by a mount.
func TestYamaIsNamedIfItForbidsTheLookAtTheCommand(t *testing.T) {
	s := newStand(t)
	for _, c := range []struct{ as, scope, said string }{
		{"env", "2", ""},
		{"env", "3", "kernel.yama.ptrace_scope is 3"},
		{user, "1", ""},
		{user, "2", "sysctl kernel.yama.ptrace_scope=1"},
	} {
		t.Run(c.as+" "+c.scope, func(t *testing.T) {
			script := `mount -t tmpfs none /proc/sys/kernel && mkdir /proc/sys/kernel/yama &&
				echo ` + c.scope + ` >/proc/sys/kernel/yama/ptrace_scope && ` + c.as + ` "$@"`
			result := s.run(t, []string{"unshare", "--mount", "sh", "-c", script, "sh"},
				[]string{s.binary, "-p", "5000", "--", "true"})
			require.Equal(t, c.said == "", result.Code == 0, result.Stderr)
			require.Contains(t, result.Stderr, c.said)
		})
	}
}
