package probes

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

// byPrivilege are the probes whose outcome depends on who runs them.
var byPrivilege = regexp.MustCompile(`^(priv_port_|unix_(no_|owner|peercred$|path|chroot)|` +
	`netlink_groups|i386_options|undumpable|.*_fds$|own_seccomp)`)

// somebody are ways of running the command line with other privileges than root or an
// ordinary user. Each has a baseline, as have those of ways.
var somebody = []struct{ name, like, as string }{
	{"ambient", "cli-user", "setpriv --reuid 54321 --regid 54321 --clear-groups " +
		"--inh-caps +net_bind_service --ambient-caps +net_bind_service"},
	{"contained", "cli-root", "setpriv --inh-caps -all --bounding-set -all,+chown,+dac_override," +
		"+fowner,+fsetid,+kill,+net_bind_service,+setfcap,+setgid,+setpcap,+setuid,+sys_chroot"},
	{"one-id", "cli-user", "setpriv --reuid 54321 --regid 54321 --clear-groups " +
		"unshare --user --map-root-user"},
}

// otherwise has the exit statuses that are not as those of the way that is like this one.
// Root without CAP_SYS_PTRACE can't inspect a process that has just changed its user, which
// makes it undumpable; unix_owner prints what follows. Root of a user namespace has it.
var otherwise = map[string]int{
	"contained/undumpable": 3, "contained/unix_owner": 0, "contained/unix_peercred": 3,
	"one-id/undumpable": holds,
}

// TestProbesOfSomebody runs the probes of byPrivilege in the ways of somebody.
func TestProbesOfSomebody(t *testing.T) {
	all := slices.DeleteFunc(readProbes(t), func(p probe) bool {
		return !byPrivilege.MatchString(p.name)
	})
	s := standWith(t, all)
	reasons := inapplicable(t)
	for _, w := range somebody {
		uid := uint32(0)
		if strings.Contains(w.as, "54321") {
			uid = ordinary
		}
		for _, p := range all {
			if reasons[p.arch] != "" {
				continue
			}
			t.Run(w.name+"/"+p.name, func(t *testing.T) {
				run := func(words ...string) runc.Result {
					return s.as(t, uid, append(strings.Fields(w.as), words...)...)
				}
				bare := run(s.program(p))
				requireBaseline(t, p, way{name: "bare-" + w.name}, bare)
				held := run(s.binary, "-p", p.ports, "--", s.program(p))
				if expected, ok := otherwise[w.name+"/"+p.name]; ok {
					require.Equal(t, expected, held.Code, held.Stderr)
					return
				}
				requireHeld(t, p, way{name: w.like}, held, bare)
			})
		}
	}
}
