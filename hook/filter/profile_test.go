package filter

import (
	"fmt"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// garbage are values of the upper half of a register, which the kernel ignores if the
// argument is a C int.
var garbage = []uint64{0, 1 << 32, 0xdeadbeef << 32, 0xffffffff << 32}

// A door is a call that can bind a port. On every machine the filter notifies or refuses each
// of them, whatever the upper halves of registers hold, and allows every other call.
func TestTheProfileActsOnEveryDoorOfEveryMachine(t *testing.T) {
	profile := Profile(Options{})
	profile.Architectures = everywhere
	s := simulate(t, profile)
	type point struct {
		args []uint64
		want uint32 // the action
	}
	calls := map[string][]point{
		"bind": {
			{[]uint64{3, 0, 0}, allowed}, {[]uint64{3, 0, 12}, allowed},
			{[]uint64{3, 0, 15}, allowed},
			{[]uint64{3, 0, 16}, notified}, {[]uint64{3, 0, 28}, notified},
			{[]uint64{3, 0, 128}, notified}, {[]uint64{3, 0, 0xffffffff}, notified},
		},
		"listen": {{[]uint64{3, 0}, notified}, {[]uint64{3, 128}, notified}},
		"setsockopt": {
			{[]uint64{3, 1, 51}, allowed}, {[]uint64{3, 41, 51}, allowed},
			{[]uint64{3, 0, 100}, allowed}, {[]uint64{3, 132, 51}, allowed},
		},
		"socketcall": {},
		"seccomp": {
			{[]uint64{1, 0}, allowed}, {[]uint64{1, 1}, allowed}, {[]uint64{2, 0}, allowed},
			{[]uint64{1, 0x37}, allowed},
		},
	}
	for _, name := range ioUring {
		calls[name] = []point{{[]uint64{0, 0}, enosys}}
	}
	for _, g := range garbage {
		calls["seccomp"] = append(calls["seccomp"], point{[]uint64{g | 1, g | 8}, ebusy},
			point{[]uint64{1, g | 0x28}, ebusy}, point{[]uint64{1, g | 0x18}, ebusy})
		for _, h := range garbage {
			calls["setsockopt"] = append(calls["setsockopt"],
				point{[]uint64{3, g | 132, h | 100}, eperm}, point{[]uint64{3, g, h | 51}, eperm})
		}
		for number := range uint64(lastSocketcall + 5) {
			want := allowed
			if multiplexed[number] != "" {
				want = notified
			}
			for _, edx := range []uint64{0, 15, 16, 51, 100} {
				calls["socketcall"] = append(calls["socketcall"],
					point{[]uint64{g | number, 132, edx}, want},
					point{[]uint64{g | number, 0, edx}, want})
			}
		}
		if g != 0 { // the filter may notify more than it has to, but never less
			calls["bind"] = append(calls["bind"], point{[]uint64{3, 0, g | 16}, notified})
		}
	}
	for _, m := range machines {
		filtered := map[uint32]bool{}
		for name, points := range calls {
			number, ok := m.number(t, name)
			if !ok {
				continue
			}
			filtered[number] = true
			for _, p := range points {
				got := s.action(t, m, number, p.args...)
				require.Equalf(t, p.want, got, "%s: %s(%#x)", m.name, name, p.args)
			}
		}
		require.GreaterOrEqual(t, len(filtered), len(calls)-1, "calls that %s has", m.name)
		for number := range uint32(601) {
			if m.name == "x32" {
				number |= 1 << 30
			}
			if !filtered[number] {
				got := s.action(t, m, number, 2, 2, 16)
				require.Equalf(t, allowed, got, "%s: call %d", m.name, number)
			}
		}
	}
}

// A profile that lists too few architectures is safe.
func TestACallOfAnUnlistedMachineIsKilled(t *testing.T) {
	profile := Profile(Options{})
	profile.Architectures = []specs.Arch{specs.ArchX86_64}
	s := simulate(t, profile)
	for _, m := range machines[1:] {
		number, _ := m.number(t, "bind")
		require.Equal(t, killed, s.action(t, m, number, 3, 0, 16), m.name)
	}
}

// The first architecture of a profile is the one of its own programs.
func TestEveryGOARCHHasItsMachineFirst(t *testing.T) {
	for goarch, first := range map[string]specs.Arch{
		"amd64": specs.ArchX86_64, "386": specs.ArchX86,
		"arm64": specs.ArchAARCH64, "arm": specs.ArchARM,
		"ppc64le": specs.ArchPPC64LE, "s390x": specs.ArchS390X,
		"riscv64": specs.ArchRISCV64, "loong64": specs.ArchLOONGARCH64,
	} {
		profile, err := ProfileFor(goarch, Options{})
		require.NoError(t, err)
		require.Equal(t, first, profile.Architectures[0], goarch)
	}
	_, err := ProfileFor("pdp11", Options{})
	require.ErrorContains(t, err, `"pdp11"`)
}

func TestTheOptionsReachTheProfile(t *testing.T) {
	flags := []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}
	p := Profile(Options{ListenerPath: "/run/x.sock", ListenerMetadata: "port=1", Flags: flags})
	require.Equal(t, "/run/x.sock port=1 "+fmt.Sprint(flags),
		p.ListenerPath+" "+p.ListenerMetadata+" "+fmt.Sprint(p.Flags))
	require.Nil(t, Profile(Options{}).Flags,
		"the field must be missing, not empty: runc has a default for a missing one")
}
