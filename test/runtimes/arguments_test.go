package runtimes

import (
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/hook/shim"
	"github.com/port-restricter/port-restricter/test/runc"
)

// globalWords and commandWords are words for command lines of runc and crun: options before
// and after the command, with and without values, abbreviated, joined and misspelled.
var (
	globalWords = strings.Fields(
		"--debug --root /r --root=create --log /dev/stderr --log=/dev/stderr" +
			" --log-format text --log-format=text --rootless auto --rootless=auto" +
			" --cgroup-manager cgroupfs --cgroup-m=disabled --systemd-cgroup --criu c" +
			" -debug -root r --root create --")
	commandWords = strings.Fields(
		"--bundle /n/1 --bundle=/n/2 -b /n/3 -b=/n/4 -bundle /n/5 -bundle=/n/6" +
			" --bund /n/7 --b=/n/8 -b/n/9 n10 --bundle . -db /n/11 -dbn12" +
			" --no-pivot --no-new-keyring --pid-file p --pid-file=p --pid p" +
			" --console-socket s --console-socket=s --preserve-fds 0 --preserve-fds=0" +
			" --detach -d --keep --config c.json -f c.json -fc.json --conf=c.json" +
			" -- - id create run --bundle --bundle=")
)

// missingBundle matches the errors of runc and crun about a bundle that is not there. The
// submatches are the path that they looked for. They are empty if that was the working
// directory.
var missingBundle = regexp.MustCompile("chdir (\\S+): no such file|" +
	"(?:chdir|realpath) `(.*)` failed|config.json not found|error loading config.json")

// taken calls an OCI runtime in an empty directory. It returns the bundle, or the --config
// of crun, that the runtime looked for, and false if the runtime looked for none.
func taken(t *testing.T, runtime string, args []string) (string, bool) {
	command := exec.Command(runtime, args...)
	command.Dir = t.TempDir()
	match := missingBundle.FindStringSubmatch(runc.Finish(t, command).Stderr)
	if match == nil {
		return "", false
	}
	return match[1] + match[2], true
}

// requireSameBundle requires that the shim finds in args the config.json that each OCI
// runtime takes. The shim may find others as well: it edits all of them.
func requireSameBundle(t *testing.T, args []string) {
	t.Helper()
	found := shim.ParseArguments(args).Configs
	for _, runtime := range []string{"/usr/sbin/runc", runc.Built(t, "runc"), "/usr/bin/crun"} {
		path, ok := taken(t, runtime, args)
		if !ok {
			continue
		}
		otherConfig := slices.ContainsFunc(found, func(file string) bool {
			return filepath.IsAbs(file) && filepath.Base(file) != "config.json"
		})
		if runtime == "/usr/bin/crun" && otherConfig {
			// crun enters the bundle before it opens a --config elsewhere, so path is the
			// bundle, and not the file that crun would take.
			continue
		}
		// path is a bundle, or crun's --config.
		if !slices.Contains(found, filepath.Join(path, "config.json")) &&
			!slices.Contains(found, filepath.Clean(path)) {
			t.Fatalf("%s %q looks for %q, but the shim edits %q", runtime, args, path, found)
		}
	}
}

// TestShimEditsTheBundleThatTheRuntimeTakes shows that the shim parses arguments like runc
// and like crun. If the shim edited another bundle than the runtime takes, the container
// would run without the filter.
func TestShimEditsTheBundleThatTheRuntimeTakes(t *testing.T) {
	for _, test := range []struct {
		args       string
		runc, crun string // the path that the runtime looks for; none: it looks for no bundle
	}{
		{"create --bundle /n/1 id", "/n/1", "/n/1"},
		{"run --bundle=/n/1 id", "/n/1", "/n/1"},
		{"create -b /n/1 id", "/n/1", "/n/1"},
		{"create -b=/n/1 id", "/n/1", "=/n/1"},
		{"create -b/n/1 id", "none", "/n/1"},
		{"create -bundle /n/1 id", "/n/1", "none"},
		{"create -bundle=/n/1 id", "/n/1", "undle=/n/1"},
		{"create --bund /n/1 id", "none", "/n/1"},
		{"run -db /n/1 id", "none", "/n/1"},
		{"create id --bundle /n/1", "/n/1", "none"},
		{"create a --bundle", "none", "none"},
		{"create a b --bundle", "a", "none"},
		{"create --bundle -- id", "--", "--"},
		{"create --bundle --no-pivot id", "--no-pivot", "--no-pivot"},
		{"create -- --bundle", "", ""},
		{"create id", "", ""},
		{"create --bundle /n/1 --bundle /n/2 id", "/n/2", "/n/2"},
		{"create --bundle /n/1 --bundle . id", "", ""},
		{"create --pid-file --bundle id", "", ""},
		{"--root create create --bundle /n/1 id", "/n/1", "/n/1"},
		{"--debug -- create --bundle /n/1 id", "/n/1", "/n/1"},
		{"--cgroup-manager create run --bundle /n/1 id", "none", "none"},
		{"run --config c.json --bundle /n/1 id", "none", "c.json"},
		{"create --config --", "", "none"},
		{"create -f --bundle /n/1 --", "/n/1", "none"},
		{"create --config /n/1 --bundle", "--config", "none"},
	} {
		args := strings.Fields(test.args)
		for runtime, wanted := range map[string]string{
			"/usr/sbin/runc":      test.runc,
			runc.Built(t, "runc"): test.runc,
			"/usr/bin/crun":       test.crun,
		} {
			path, ok := taken(t, runtime, args)
			if !ok {
				path = "none"
			}
			require.Equal(t, wanted, path, "%s %q", runtime, args)
		}
		requireSameBundle(t, args)
	}
}

// FuzzShimEditsTheBundleThatTheRuntimeTakes shows the same for random command lines. The
// fuzzer's bytes choose the words.
func FuzzShimEditsTheBundleThatTheRuntimeTakes(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		seed := make([]byte, 2+random.IntN(7))
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) < 2 || len(choices) > 12 {
			return
		}
		var args []string
		pick := func(words []string, choice byte) {
			args = append(args, words[int(choice)%len(words)])
		}
		globals := min(int(choices[0])%4, len(choices)-2)
		for _, choice := range choices[2 : 2+globals] {
			pick(globalWords, choice)
		}
		pick([]string{"create", "run"}, choices[1])
		for _, choice := range choices[2+globals:] {
			pick(commandWords, choice)
		}
		requireSameBundle(t, args)
	})
}
