// Package identities runs the command line as different users, with different capabilities
// and in different sandboxes. What the policy allows must end as without port-restricter.
package identities

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// The capabilities of root in a container of podman.
const inPodman = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+net_bind_service,+setfcap," +
	"+setgid,+setpcap,+setuid,+sys_chroot"

const change = "+setuid,+setgid,+dac_override"

// An identity is a way of being somebody: a command that runs another command, and what it
// can do without port-restricter, so that the test shows more than equal failures.
type identity struct {
	name string
	as   string
	can  string // NAME=END of served.c
}

const user = "setpriv --reuid 1000 --regid 1000 --groups 27 "

var identities = []identity{
	{"root", "env", "low_port=works port_of_another_user=works path_elsewhere=works"},
	{"user", user, "low_port=EACCES path_elsewhere=works path_of_threads=works"},
	{"user without the group", "setpriv --reuid 1000 --regid 1000 --clear-groups",
		"path_elsewhere=EACCES"},
	{"user with an ambient capability",
		user + "--inh-caps +net_bind_service --ambient-caps +net_bind_service",
		"low_port=works low_port_without_capability=EACCES path_of_threads=works"},
	{"user with ambient capabilities that change users",
		user + "--inh-caps " + change + " --ambient-caps " + change,
		"low_port=EACCES port_of_another_user=works path_elsewhere_without_groups=works"},
	{"user with CAP_SETGID alone", user + "--inh-caps +setgid --ambient-caps +setgid",
		"path_elsewhere_without_groups=EACCES port_of_another_group=works"},
	{"root as in a container", "setpriv --bounding-set " + inPodman + " --inh-caps -all",
		"low_port=works low_port_without_capability=EACCES port_of_another_user=works"},
	{"root with few capabilities",
		"setpriv --bounding-set -all,+setuid,+setgid,+sys_ptrace --inh-caps -all",
		"low_port=EACCES port_of_another_user=works"},
	{"root without capabilities", "setpriv --bounding-set -all --inh-caps -all",
		"low_port=EACCES path_of_threads=works"},
	{"root whose capabilities survive a change of users",
		"setpriv --securebits +no_setuid_fixup,+no_setuid_fixup_locked", "low_port=works"},
	{"root that is not privileged", "setpriv --securebits +noroot,+noroot_locked",
		"low_port=EACCES"},
	{"user with no new privileges", user + "--no-new-privs", "path_of_threads=works"},
	{"user namespace with one id", user + "unshare --user --map-root-user",
		"low_port=EACCES path_elsewhere=works path_elsewhere_without_groups=EPERM"},
	{"user namespace with one id, and a network", user + "unshare --user --map-root-user --net",
		"low_port=works low_port_without_capability=EACCES"},
	{"user namespace that maps the user", user + "unshare --user --map-current-user",
		"low_port=EACCES path_elsewhere=works"},
	{"user namespace without ids", user + "unshare --user", "path_elsewhere=works"},
	{"bubblewrap", user + "bwrap --unshare-user --dev-bind / /", "path_elsewhere=works"},
	{"bubblewrap with namespaces of its own",
		user + "bwrap --unshare-all --bind / / --dev /dev --proc /proc", "path_elsewhere=works"},
	// As PrivateUsers=yes of systemd maps root and the user of a service.
	{"user namespace with two ids", "unshare --user --map-users=0,0,1 --map-groups=0,0,1",
		"path_of_threads=works"},
	// As a container of an ordinary user has it. Its root can trace every process in there.
	{"user namespace with a hundred ids", "testdata/mapped.sh",
		"port_of_another_user=works path_of_another_user=works " +
			"low_port_in_namespaces_of_others=EACCES"},
}

// TestTheCommandLineServesEverybody shows that a command that is allowed to bind 80 and 5000
// does under the command line what it does without, whoever starts it.
func TestTheCommandLineServesEverybody(t *testing.T) {
	s := newStand(t)
	for _, who := range identities {
		t.Run(who.name, func(t *testing.T) {
			as := strings.Fields(who.as)
			if strings.HasPrefix(who.as, "testdata/") {
				path, err := filepath.Abs(who.as)
				require.NoError(t, err)
				as = []string{path}
			}
			bare := s.ends(t, as)
			for word := range strings.FieldsSeq(who.can) {
				name, end, _ := strings.Cut(word, "=")
				require.Equal(t, end, bare[name], "%s without port-restricter", name)
			}
			require.Equal(t, "works", bare["port"])
			require.Equal(t, "works", bare["another_port"])
			want := maps.Clone(bare)
			want["another_port"] = "EPERM"
			require.Equal(t, want, s.ends(t, as, s.commandLine()))
		})
	}
}

// A stand is a directory that everybody can enter.
type stand struct{ dir, binary, program, second string }

func newStand(t *testing.T) *stand {
	t.Helper()
	dir, err := os.MkdirTemp("", "identities-") // other users can't enter t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	s := &stand{
		dir:     dir,
		binary:  runc.Install(t, dir),
		program: filepath.Join(dir, "served"),
		second:  filepath.Join(dir, "second"),
	}
	out, err := exec.Command("gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
		"-static", "-pthread", "-o", s.program, "testdata/served.c").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// The directory of a group, in which others can do nothing.
	require.NoError(t, os.Mkdir(s.second, 0o770))
	require.NoError(t, os.Chown(s.second, 0, 27))
	require.NoError(t, os.Chmod(s.second, 0o770))
	return s
}

// ends runs served.c by the commands, in an empty directory and a network namespace of its
// own, and returns how each thing that it does ended.
func (s *stand) ends(t *testing.T, commands ...[]string) map[string]string {
	t.Helper()
	result := s.run(t, append(commands, []string{s.program, s.second})...)
	require.Zero(t, result.Code, result.Stderr)
	ends := map[string]string{}
	for line := range strings.Lines(result.Stdout) {
		name, end, _ := strings.Cut(strings.TrimSpace(line), " ")
		ends[name] = end
	}
	return ends
}

// run runs a command, in words that are joined.
func (s *stand) run(t *testing.T, words ...[]string) runc.Result {
	t.Helper()
	dir, err := os.MkdirTemp(s.dir, "cwd-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	argv := []string{"--net", "sh", "-c", `busybox ip link set lo up && exec "$@"`, "sh"}
	for _, more := range words {
		argv = append(argv, more...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "unshare", argv...)
	command.Dir, command.WaitDelay = dir, time.Second
	return runc.Finish(t, command)
}

// commandLine returns the words before a command that may bind 80 and 5000.
func (s *stand) commandLine() []string { return []string{s.binary, "-v", "-p", "80,5000", "--"} }
