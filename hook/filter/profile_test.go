package filter

import (
	"fmt"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// garbage is what the kernel doesn't see above a C int.
var garbage = []uint64{0, 1 << 32, 0xdeadbeef << 32, 0xffffffff << 32}

func TestTheProfileActsOnEveryDoorOfEveryMachine(t *testing.T) {
	profile := Profile(Options{})
	profile.Architectures = everywhere
	s := simulate(t, profile)
	type point struct {
		args []uint64
		want uint32
	}
	calls := map[string][]point{
		"bind": {
			{[]uint64{3, 0, 0}, allowed}, {[]uint64{3, 0, 12}, allowed}, {[]uint64{3, 0, 15}, allowed},
			{[]uint64{3, 0, 16}, notified}, {[]uint64{3, 0, 28}, notified}, {[]uint64{3, 0, 128}, notified},
			{[]uint64{3, 0, 0xffffffff}, notified},
		},
		"listen":     {{[]uint64{3, 0}, notified}, {[]uint64{3, 128}, notified}},
		"setsockopt": {{[]uint64{3, 1, 51}, allowed}, {[]uint64{3, 41, 51}, allowed}, {[]uint64{3, 0, 100}, allowed}, {[]uint64{3, 132, 51}, allowed}},
		"socketcall": {},
		"seccomp":    {{[]uint64{1, 0}, allowed}, {[]uint64{1, 1}, allowed}, {[]uint64{2, 0}, allowed}, {[]uint64{1, 0x37}, allowed}},
	}
	for _, name := range ioUring {
		calls[name] = []point{{[]uint64{0, 0}, enosys}}
	}
	for _, g := range garbage {
		calls["seccomp"] = append(calls["seccomp"], point{[]uint64{g | 1, g | 8}, ebusy}, point{[]uint64{1, g | 0x28}, ebusy}, point{[]uint64{1, g | 0x18}, ebusy})
		for _, h := range garbage {
			calls["setsockopt"] = append(calls["setsockopt"], point{[]uint64{3, g | 132, h | 100}, eperm}, point{[]uint64{3, g, h | 51}, eperm})
		}
		for number := range uint64(lastSocketcall + 5) {
			want := allowed
			if multiplexed[number] != "" {
				want = notified
			}
			for _, edx := range []uint64{0, 15, 16, 51, 100} {
				calls["socketcall"] = append(calls["socketcall"], point{[]uint64{g | number, 132, edx}, want}, point{[]uint64{g | number, 0, edx}, want})
			}
		}
		if g != 0 { // more is notified than need be, nothing less
			calls["bind"] = append(calls["bind"], point{[]uint64{3, 0, g | 16}, notified})
		}
	}
	for _, m := range machines {
		ours := map[uint32]bool{}
		for name, points := range calls {
			number, ok := m.number(t, name)
			if !ok {
				continue
			}
			ours[number] = true
			for _, p := range points {
				require.Equalf(t, p.want, s.action(t, m, number, p.args...), "%s: %s(%#x)", m.name, name, p.args)
			}
		}
		require.GreaterOrEqual(t, len(ours), len(calls)-1, m.name)
		for number := range uint32(601) {
			if m.name == "x32" {
				number |= 1 << 30
			}
			if !ours[number] {
				require.Equalf(t, allowed, s.action(t, m, number, 2, 2, 16), "%s: call %d", m.name, number)
			}
		}
	}
}

func TestACallOfAnUnlistedMachineIsKilled(t *testing.T) {
	profile := Profile(Options{})
	profile.Architectures = []specs.Arch{specs.ArchX86_64}
	s := simulate(t, profile)
	for _, m := range machines[1:] {
		number, _ := m.number(t, "bind")
		require.Equal(t, killed, s.action(t, m, number, 3, 0, 16), m.name)
	}
}

func TestEveryGOARCHHasItsMachinesFirst(t *testing.T) {
	for goarch, first := range map[string]specs.Arch{
		"amd64": specs.ArchX86_64, "386": specs.ArchX86, "arm64": specs.ArchAARCH64, "arm": specs.ArchARM,
		"ppc64le": specs.ArchPPC64LE, "s390x": specs.ArchS390X, "riscv64": specs.ArchRISCV64, "loong64": specs.ArchLOONGARCH64,
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
	require.Equal(t, "/run/x.sock port=1 "+fmt.Sprint(flags), p.ListenerPath+" "+p.ListenerMetadata+" "+fmt.Sprint(p.Flags))
	require.Nil(t, Profile(Options{}).Flags, "no flags is not an empty list of them: runc has a default for the first")
}
