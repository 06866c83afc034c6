package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// separately runs a command line that must succeed, with standard output and standard error apart.
func separately(t *testing.T, args ...string) (output, complaints string) {
	t.Helper()
	var out, err bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&err)
	require.NoError(t, root.Execute())
	return out.String(), err.String()
}

// TestAProfileWithoutABaseIsWarnedOf shows that nobody gives up the engine's default profile
// unawares, and that standard output is the profile alone.
func TestAProfileWithoutABaseIsWarnedOf(t *testing.T) {
	settingsIn(t, "")
	for base, action := range map[string]specs.LinuxSeccompAction{
		"": specs.ActAllow, "default": specs.ActErrno,
	} {
		args := []string{"profile"}
		if base != "" {
			args = append(args, "--base", base)
		}
		output, complaints := separately(t, args...)
		var profile specs.LinuxSeccomp
		require.NoError(t, json.Unmarshal([]byte(output), &profile))
		require.Equal(t, action, profile.DefaultAction)
		requireWarning(t, base == "", complaints)
	}
}

// TestAKubeletsProfileWithoutABaseIsWarnedOf shows the same for configure kubelet, also with
// --dry-run.
func TestAKubeletsProfileWithoutABaseIsWarnedOf(t *testing.T) {
	root := t.TempDir()
	configure := []string{"configure", "kubelet", "--root", root}
	for _, c := range []struct {
		more   []string
		warned bool
	}{
		{[]string{"--dry-run"}, true},
		{[]string{"--base", "default", "--dry-run"}, false},
		{[]string{"--base", "default"}, false},
		{nil, true},
		{[]string{"--remove"}, false},
	} {
		_, complaints := separately(t, append(configure, c.more...)...)
		requireWarning(t, c.warned, complaints)
	}
	left, err := filepath.Glob(filepath.Join(root, "var/lib/kubelet/seccomp/*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func requireWarning(t *testing.T, warned bool, complaints string) {
	t.Helper()
	if !warned {
		require.Empty(t, complaints)
		return
	}
	require.Contains(t, complaints, "every other system call")
	require.Contains(t, complaints, "--base default")
}
