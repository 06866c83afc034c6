package filter

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// For every base one of two things holds. Either Merge or libseccomp refuses it, or the
// program that libseccomp makes of the merged profile lets no call through that can bind
// a port. Wherever Merge succeeds, merging a second time changes nothing.
func FuzzMerge(f *testing.F) {
	for _, seed := range []string{
		"", "\x01", "\x00\x05\x00\x00", "\x01\x3f\x00\x00", "\x01\x01\x00\x01\x02\x03\x10",
		"\x00\x08\x05\x01\x00\x00\x02\x01\x00\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		base := profileFrom(bytes)
		merged, err := Merge(base, options)
		if err != nil {
			return
		}
		twice, err := Merge(merged, options)
		require.NoError(t, err)
		require.Equal(t, merged, twice)

		filter, err := newScmpFilter(merged)
		if err != nil {
			return // no container starts with this profile
		}
		filter.Release()
		text, err := json.Marshal(base)
		require.NoError(t, err)
		t.Logf("base: %s", text)
		program := simulate(t, merged)
		for _, m := range machines {
			check := func(call string, number uint32, args ...uint64) {
				if binds(call, args) && lets(program.action(t, m, number, args...)) {
					t.Fatalf("%s: %s(%#x) is let through", m.name, call, args)
				}
			}
			eachCall(t, m, rand.New(rand.NewPCG(1, 2)), check)
		}
	})
}

// binds reports whether a call can bind a port.
func binds(call string, args []uint64) bool {
	low := func(i int) uint64 { return args[i] & cInt }
	switch call {
	case "bind":
		return low(2) >= shortestAddress
	case "setsockopt":
		return slices.Contains(bindingOptions, socketOption{low(1), low(2)})
	case "socketcall":
		return multiplexed[low(0)] == "bind" || multiplexed[low(0)] == "listen"
	}
	return call != ""
}

// profileFrom returns a profile that is determined by bytes. Each byte makes one choice:
// of an action, of the calls of a rule, or of a part of a condition.
func profileFrom(bytes []byte) *specs.LinuxSeccomp {
	next := func(choices int) int {
		if len(bytes) == 0 {
			return 0
		}
		choice := int(bytes[0]) % choices
		bytes = bytes[1:]
		return choice
	}
	actions := []specs.LinuxSeccompAction{
		specs.ActAllow, specs.ActErrno, specs.ActLog, specs.ActTrace, specs.ActTrap,
		specs.ActKillProcess, specs.ActNotify,
	}
	names := append([]string{"bind", "listen", "setsockopt", "socketcall", "read"}, ioUring...)
	operators := []specs.LinuxSeccompOperator{
		specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual,
		specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual,
	}
	values := []uint64{0, 2, 4, 14, 16, 51, 100, 132, cInt, 1 << 32}
	profile := with(actions[next(len(actions))])
	profile.Architectures = everywhere
	for len(bytes) > 0 {
		r := specs.LinuxSyscall{Action: actions[next(len(actions))]}
		chosen := next(1 << len(names))
		for i, name := range names {
			if chosen&(1<<i) != 0 {
				r.Names = append(r.Names, name)
			}
		}
		for range next(3) {
			r.Args = append(r.Args, specs.LinuxSeccompArg{
				Index: uint(next(3)), Op: operators[next(len(operators))],
				Value: values[next(len(values))], ValueTwo: values[next(len(values))],
			})
		}
		if len(r.Names) > 0 {
			profile.Syscalls = append(profile.Syscalls, r)
		}
	}
	return profile
}
