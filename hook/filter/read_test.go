package filter

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

func TestAProfileIsReadAsItWasWritten(t *testing.T) {
	want := Profile(Options{
		ListenerPath: "/run/x.sock",
		Flags:        []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog},
	})
	var written bytes.Buffer
	require.NoError(t, WriteProfile(&written, want))
	require.Equal(t, "}\n", written.String()[written.Len()-2:])
	got, err := parseProfile(written.Bytes())
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// Docker's and Podman's forms are read if they mean the same for every container. Any other
// file is refused, with an error that names the file and says what is wrong.
func TestOtherFormsOfAProfile(t *testing.T) {
	// withRule returns a profile with the given text as its only rule.
	withRule := func(text string) string {
		return `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[` + text + `]}`
	}
	tests := map[string]struct{ file, want string }{
		"Docker's old name": {withRule(`{"name":"bind","action":"SCMP_ACT_ALLOW","comment":"",` +
			`"args":[],"includes":{},"excludes":{}}`), ""},
		"empty archMap": {`{"defaultAction":"SCMP_ACT_ALLOW","archMap":[]}`, ""},
		"archMap": {`{"defaultAction":"SCMP_ACT_ALLOW",` +
			`"archMap":[{"architecture":"SCMP_ARCH_X86"}]}`, "podman inspect"},
		"includes": {withRule(`{"names":["a"],"includes":{"caps":["CAP_BPF"]}}`), "podman inspect"},
		"excludes": {withRule(`{"names":["a"],"excludes":{"minKernel":"4.8"}}`), "podman inspect"},
		"errno by name": {
			`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrno":"ENOSYS"}`, "podman inspect",
		},
		"unknown field": {
			`{"defaultAction":"SCMP_ACT_ALLOW","ociVersion":"1.0"}`, "ociVersion",
		},
		"two values":          {`{"defaultAction":"SCMP_ACT_ALLOW"} {}`, "follows"},
		"truncated":           {`{"defaultAction":"SCMP_ACT_ALL`, "EOF"},
		"no default":          {`{"syscalls":[]}`, "defaultAction"},
		"nothing":             {``, "EOF"},
		"neither name":        {withRule(`{"action":"SCMP_ACT_ALLOW"}`), "rule 0"},
		"both name and names": {withRule(`{"name":"a","names":["b"]}`), "rule 0"},
	}
	for name, test := range tests {
		path := filepath.Join(t.TempDir(), "profile.json")
		require.NoError(t, os.WriteFile(path, []byte(test.file), 0o600))
		profile, err := ReadProfile(path)
		if test.want == "" {
			require.NoError(t, err, name)
			for _, r := range profile.Syscalls {
				require.Equal(t, []string{"bind"}, r.Names, name)
			}
			continue
		}
		require.ErrorContains(t, err, test.want, name)
		require.ErrorContains(t, err, path, name)
	}
	_, err := ReadProfile("testdata/none.json")
	require.ErrorIs(t, err, os.ErrNotExist)
}
