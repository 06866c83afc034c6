package filter

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var options = Options{ListenerPath: "/run/port-restricter/agent.sock"}

// bases returns profiles that Merge accepts.
func bases(t *testing.T) map[string]*specs.LinuxSeccomp {
	const (
		allow, errno = specs.ActAllow, specs.ActErrno
		equal, less  = specs.OpEqualTo, specs.OpLessThan
	)
	names := func(action specs.LinuxSeccompAction, names ...string) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: names, Action: action}
	}
	all := []string{
		"read", "bind", "listen", "setsockopt", "socketcall", "socket",
		"io_uring_setup", "io_uring_enter", "io_uring_register",
	}
	direct := []string{"bind", "listen", "setsockopt"}
	byDefault := with(errno, names(allow, all...))
	byDefault.DefaultErrnoRet = new(uint(38))
	refusesBind := refusal(uint(unix.EACCES), "bind")
	profiles := map[string]*specs.LinuxSeccomp{
		"allows by default": with(allow, refusal(1, "mount")),
		"logs by default":   with(specs.ActLog),
		"logs by default, allows by name": with(specs.ActLog,
			names(allow, all...)),
		"traces by default, logs by name": with(specs.ActTrace,
			names(specs.ActLog, all...)),
		"refuses by default": with(errno,
			names(allow, "read", "write")),
		"refuses by default, allows by name": byDefault,
		"kills by default, allows by name": with(specs.ActKillProcess,
			names(allow, all...)),
		"EPERM by default, allows by name": with(errno,
			names(allow, all...)),
		"traps by default, traces by name": with(specs.ActTrap,
			names(specs.ActTrace, all...)),
		"allows twice": with(errno,
			names(allow, all...), names(allow, "bind", "setsockopt")),
		"socketcall only": with(errno,
			names(allow, "socketcall")),
		"some socketcalls only": with(errno,
			rule(allow, "socketcall", arg(0, equal, 1)),
			rule(allow, "socketcall", arg(0, equal, 2))),
		"a socketcall above a C int": with(errno,
			rule(allow, "socketcall", arg(0, equal, 1<<32|2))),
		"direct calls only": with(errno,
			names(allow, direct...)),
		"bind of fd 3 only": with(errno,
			rule(allow, "bind", arg(0, equal, 3)),
			rule(specs.ActLog, "listen", arg(1, less, 5))),
		"short binds only": with(errno,
			rule(allow, "bind", arg(2, less, 16))),
		"logs bind of fd 3": with(allow,
			rule(specs.ActLog, "bind", arg(0, equal, 3))),
		"refuses bind": with(allow, refusesBind),
		// runc leaves out a rule that does what the default does. It compares errnos in 16
		// bits.
		"contradictory: short binds": with(errno,
			refusal(65537, "bind"), rule(allow, "bind", arg(2, less, 16))),
		"contradictory: some options": with(errno,
			refusal(1, "setsockopt"), rule(allow, "setsockopt", otherOptions()[99]...)),
		"refuses socketcall twice": with(specs.ActKill,
			names(specs.ActKillThread, "socketcall"), names(allow, direct...)),
		"kills listen, refuses setsockopt": with(specs.ActLog,
			names(specs.ActKill, "listen"), refusal(1, "setsockopt")),
		"refuses bind, allows socketcall": with(errno,
			refusal(13, "bind"), names(allow, "socketcall", "listen")),
		"refuses socketcall": with(allow,
			refusal(38, "socketcall")),
		"refuses bind and socketcall 2": with(allow,
			refusal(13, "bind"), refusal(13, "socketcall", arg(0, equal, 2))),
		"refuses socketcall 9": with(allow,
			refusal(13, "socketcall", arg(0, equal, 9))),
		"refuses another socket option": with(allow,
			refusal(13, "setsockopt", intArg(1, cInt, 0), intArg(2, cInt, 64))),
		"refuses a binding socket option": with(allow,
			names(specs.ActTrap, "x"),
			ruleLike(names(specs.ActTrap), "setsockopt", bindingOptions[0].args()...)),
		"refuses io_uring": with(allow,
			refusal(1, "io_uring_setup"), names(specs.ActKill, "io_uring_enter")),
		"allows one io_uring call": with(errno,
			names(allow, "io_uring_enter"), rule(allow, "io_uring_setup", arg(0, less, 8))),
		"notifies of bind and listen already": with(allow,
			names(specs.ActNotify, "bind", "listen")),
		"the same call by default and by name": with(allow,
			names(allow, all...)),
	}
	for _, engine := range defaults {
		base, err := ReadProfile("testdata/" + engine + "-default.json")
		require.NoError(t, err)
		profiles[engine+"'s default"] = base
	}
	return profiles
}

// What a base refuses stays refused and what it allows stays allowed, but no call that can
// bind a port is let through. The test compares the programs that libseccomp makes of the
// base and of the merged profile.
func TestMergeChangesOnlyCallsThatCanBind(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, base := range bases(t) {
		t.Run(name, func(t *testing.T) {
			base.Architectures = everywhere
			merged, err := Merge(base, Options{})
			require.NoError(t, err)
			before := simulate(t, base)
			for _, level := range []int{1, 2} {
				after := simulateOptimized(t, merged, level)
				require.Less(t, len(after), 4096) // BPF_MAXINSNS
				for _, m := range machines {
					check := func(call string, number uint32, args ...uint64) {
						was := before.action(t, m, number, args...)
						is := after.action(t, m, number, args...)
						if call == "socketcall" && multiplexed[args[0]&cInt] != "" {
							// A caller is free to choose the other registers of socketcall
							// and the upper half of the first one. So the most permissive
							// action of the base counts.
							low := args[0] & cInt
							was = max(was, before.action(t, m, number, low, 0, 0),
								before.action(t, m, number, 1<<32|low))
						}
						contradictory := strings.HasPrefix(name, "contradictory")
						if contradictory && call != "" && !lets(is) && is != notified {
							return
						}
						if !slices.Contains(wanted(call, args, was, is), is) {
							t.Fatalf("%s: %s(%#x), call %d: was %#x, is %#x",
								m.name, call, args, number, was, is)
						}
					}
					eachCall(t, m, random, check)
				}
			}
		})
	}
}

// lets reports whether an action lets a call through.
func lets(action uint32) bool {
	action &= unix.SECCOMP_RET_ACTION_FULL
	return action == allowed || action == logged || action == unix.SECCOMP_RET_TRACE
}

// wanted returns the actions that the merged profile may have for a call for which the base
// has the action was. The action that the merged profile has, is, serves only to fill in
// the value of a refusal.
func wanted(call string, args []uint64, was, is uint32) []uint32 {
	refused := is
	if lets(is) || is == notified {
		refused = killed
	}
	low := func(i int) uint64 { return args[i] & cInt }
	switch {
	case slices.Contains(ioUring, call):
		return []uint32{refused}
	case !lets(was) && was != notified:
	case call == "bind" && low(2) < shortestAddress:
		return []uint32{was, notified}
	case call == "bind" || call == "listen":
		return []uint32{notified}
	case call == "setsockopt" && slices.Contains(bindingOptions, socketOption{low(1), low(2)}):
		return []uint32{refused}
	case call == "socketcall" && multiplexed[low(0)] != "":
		return []uint32{notified, refused}
	case call == "socketcall" && (args[0] == 0 || args[0] > lastSocketcall):
		return []uint32{is} // the kernel fails with EINVAL
	}
	return []uint32{was}
}

// eachCall calls check with each call of the filter, by name, with arguments around all
// values that matter and with random ones. It also calls check with every other call
// number, and the name "".
func eachCall(
	t *testing.T, m machine, random *rand.Rand,
	check func(call string, number uint32, args ...uint64),
) {
	filtered := map[uint32]bool{}
	direct := []string{"bind", "listen", "setsockopt", "socketcall"}
	for _, call := range slices.Concat(direct, ioUring) {
		number, ok := m.number(t, call)
		if !ok {
			continue
		}
		filtered[number] = true
		edges := []uint64{
			0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16, 17, 20, 28, 50, 51, 52, 99, 100, 101,
			131, 132, 133, 1 << 31, cInt,
		}
		for _, a := range edges {
			for _, b := range edges {
				if !m.wide {
					check(call, number, 3, a, b)
					check(call, number, a, b, 3)
					check(call, number, a, 3, b)
					continue
				}
				check(call, number, 3, random.Uint64()<<32|a, random.Uint64()<<32|b)
				check(call, number, 3, a, b)
				check(call, number, a, b, 3)
				check(call, number, a, 3, b)
				check(call, number, random.Uint64()<<32|a, 3, b)
			}
		}
		for range 200 {
			check(call, number, random.Uint64(),
				random.Uint64()>>random.IntN(64), random.Uint64()>>random.IntN(64))
		}
	}
	for number := range uint32(601) {
		if m.name == "x32" {
			number |= 1 << 30
		}
		if !filtered[number] {
			check("", number, 2, 2, 16)
		}
	}
}

// Guards recognize a profile with the filter by merging once more.
func TestMergingTwiceChangesNothingMore(t *testing.T) {
	o := Options{
		ListenerPath:     "/run/x.sock",
		ListenerMetadata: "m",
		Flags:            []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog},
	}
	for name, base := range bases(t) {
		before, err := json.Marshal(base)
		require.NoError(t, err)
		once, err := Merge(base, o)
		require.NoError(t, err, name)
		twice, err := Merge(once, o)
		require.NoError(t, err, name)
		require.Equal(t, once, twice, name)
		after, err := json.Marshal(base)
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), "%s: base was changed", name)
	}
	once, err := Merge(nil, o)
	require.NoError(t, err)
	require.Equal(t, Profile(o), once)
	twice, err := Merge(once, o)
	require.NoError(t, err)
	require.Equal(t, once, twice)
}

// A base is refused if it belongs to another supervisor, if it makes notifications that the
// supervisor does not know, or if libseccomp could combine its conditions with those of the
// filter in such a way that a bind is let through or a refusal is lost. The error names
// what is wrong.
func TestWhatCantBeMergedIsAnError(t *testing.T) {
	const (
		allow, errno, kill, notify = specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActNotify
		equal, less                = specs.OpEqualTo, specs.OpLessThan
	)
	tests := map[string]struct {
		base *specs.LinuxSeccomp
		want string
	}{
		"default notifies": {with(notify), "SCMP_ACT_NOTIFY"},
		"no default":       {&specs.LinuxSeccomp{}, "defaultAction"},
		"foreign listener": {
			&specs.LinuxSeccomp{DefaultAction: allow, ListenerPath: "/run/other"}, "/run/other",
		},
		"foreign metadata": {
			&specs.LinuxSeccomp{DefaultAction: allow, ListenerMetadata: "other"}, "other",
		},
		"notifies of another call":     {with(allow, rule(notify, "mount")), "mount"},
		"notifies of write":            {with(allow, rule(notify, "write")), "write"},
		"notifies of setsockopt":       {with(allow, rule(notify, "setsockopt")), "setsockopt"},
		"notifies of every socketcall": {with(allow, rule(notify, "socketcall")), "socketcall"},
		"unknown action": {
			with(allow, rule("SCMP_ACT_MAYBE", "mount")), "SCMP_ACT_MAYBE",
		},
		"refuses some binds": {with(allow, rule(errno, "bind", arg(0, equal, 3))), "bind"},
		"refuses some listens": {
			with(errno, rule(allow, "listen"), rule(kill, "listen", arg(0, equal, 3))), "listen",
		},
		"allows some socket options": {
			with(errno, rule(allow, "setsockopt", arg(1, equal, 1))), "setsockopt",
		},
		"refuses some, allows all": {
			with(errno, rule(allow, "setsockopt"), rule(kill, "setsockopt", arg(1, equal, 1))),
			"setsockopt",
		},
		"socketcalls by more than one": {
			with(errno, rule(allow, "socketcall", arg(0, less, 9))), "socketcall",
		},
		"refuses bind by socketcall": {
			with(allow, rule(errno, "socketcall", arg(0, equal, 2))), "socketcall",
		},
		"refuses a socketcall": {
			with(errno, rule(allow, "socketcall"), rule(kill, "socketcall", arg(0, equal, 9))),
			"socketcall",
		},
	}
	for name, test := range tests {
		_, err := Merge(test.base, Options{ListenerPath: "/run/ours", ListenerMetadata: "ours"})
		require.ErrorContains(t, err, test.want, name)
	}
	_, err := Merge(tests["foreign listener"].base, Options{})
	require.ErrorIs(t, err, ErrForeignListener)
}

// with returns a profile that consists of a default action and rules.
func with(byDefault specs.LinuxSeccompAction, rules ...specs.LinuxSyscall) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{DefaultAction: byDefault, Syscalls: rules}
}

// A merged profile has everything of its base that is not about the calls of the filter, and
// shares no memory with it.
func TestTheRestOfABaseStaysAsItIs(t *testing.T) {
	base := with(specs.ActErrno, rule(specs.ActAllow, "listen"),
		specs.LinuxSyscall{Names: []string{"read", "bind", "write"}, Action: specs.ActAllow},
		refusal(5, "mount", arg(0, specs.OpEqualTo, 1)))
	base.DefaultErrnoRet = new(uint(7))
	const log, killable = specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagWaitKillableRecv
	base.Flags = []specs.LinuxSeccompFlag{log}
	base.Architectures = []specs.Arch{specs.ArchX86_64}
	merged, err := Merge(base, Options{Flags: []specs.LinuxSeccompFlag{killable, log}})
	require.NoError(t, err)
	last := len(merged.Syscalls)
	require.Equal(t, []specs.LinuxSyscall{
		{Names: []string{"read", "write"}, Action: specs.ActAllow},
		refusal(5, "mount", arg(0, specs.OpEqualTo, 1)),
	}, merged.Syscalls[last-2:])
	require.EqualValues(t, 7, *merged.DefaultErrnoRet)
	require.Equal(t, []specs.LinuxSeccompFlag{log, killable}, merged.Flags)
	require.Equal(t, base.Architectures, merged.Architectures)
	merged.Syscalls[last-1].Args[0].Value = 9
	require.EqualValues(t, 1, base.Syscalls[2].Args[0].Value,
		"base shares memory with the merged profile")
}
