package base

import (
	"os"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/hook/filter"
)

func TestANameIsTheDefaultProfileOrAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"default", "other.json"} {
		text := `{"defaultAction": "SCMP_ACT_LOG"}`
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	for _, file := range []string{"./default", "other.json"} {
		profile, err := Read(file)
		require.NoError(t, err)
		require.Equal(t, specs.ActLog, profile.DefaultAction, file)
	}
	none, err := Read("")
	require.NoError(t, err)
	require.Nil(t, none)
	_, err = Read("missing.json")
	require.ErrorContains(t, err, "missing.json")
}

func TestTheDefaultProfileRefusesWhatItDoesNotName(t *testing.T) {
	profile, err := Read(DefaultName)
	require.NoError(t, err)
	require.Equal(t, specs.ActErrno, profile.DefaultAction)
	allowed := func(call string) bool {
		return slices.ContainsFunc(profile.Syscalls, func(rule specs.LinuxSyscall) bool {
			return rule.Action == specs.ActAllow && slices.Contains(rule.Names, call)
		})
	}
	require.True(t, allowed("bind"))
	require.False(t, allowed("kexec_load"))

	merged, err := filter.Merge(profile, filter.Options{})
	require.NoError(t, err)
	_, err = filter.Compile(merged)
	require.NoError(t, err)
}
