package check

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/hook"
	"github.com/port-restricter/port-restricter/hook/shim"
)

// usual are the OCI runtimes that are looked for if nothing names them.
var usual = []string{"runc", "crun"}

// versionLimit is how long a runtime may take to tell its version.
const versionLimit = 10 * time.Second

// libseccompKey is where a runtime's features have the version of its libseccomp.
const libseccompKey = "io.github.seccomp.libseccomp.version"

// ociRuntimes looks at the usual OCI runtimes and at those that a configuration names. One that is
// named, by a path or in a configuration, must be there.
func ociRuntimes(named []string) (results []Result) {
	var seen []string
	for _, name := range slices.Concat(named, usual) {
		path, err := shim.FindRuntime(name)
		if slices.Contains(seen, path) && err == nil {
			continue
		}
		seen = append(seen, path)
		switch {
		case err == nil:
			results = append(results, ociRuntime(path))
		case slices.Contains(named, name):
			results = append(results, fail(name, "", "it is configured: %v", err))
		default:
			results = append(results, skip(name, "not installed"))
		}
	}
	return results
}

// ociRuntime looks at one OCI runtime.
func ociRuntime(path string) Result {
	name := path[strings.LastIndexByte(path, '/')+1:]
	version := versionOf(path)
	what := path + " " + version.first
	answer, err := hook.RuntimeFeatures(path)
	if errors.Is(err, hook.ErrNoFeatures) {
		return withoutFeatures(name, what, version)
	}
	if err != nil {
		return fail(name, "install another version", "%s: %v", what, err)
	}
	seccomp := new(features.Seccomp)
	if answer.Linux != nil && answer.Linux.Seccomp != nil {
		seccomp = answer.Linux.Seccomp
	}
	library := answer.Annotations[libseccompKey]
	switch {
	case seccomp.Enabled == nil || !*seccomp.Enabled:
		return fail(name, "install one that is built with seccomp", "%s loads no seccomp filters",
			what)
	case !slices.Contains(seccomp.Actions, string(specs.ActNotify)):
		return fail(name, "install runc 1.1 or crun 1.0, or newer",
			"%s knows no filters with a supervisor (%s)", what, specs.ActNotify)
	case olderThan(library, 2, 5):
		return fail(name, "install libseccomp 2.5 or newer",
			"%s has libseccomp %s, which knows no filters with a supervisor", what, library)
	}
	flags, _ := hook.RuntimeFlags(path)
	if len(flags) == 0 {
		return withoutFlag(name, what)
	}
	return ok(name, "%s loads the filter, and no signal ends a bind in its containers", what)
}

// withoutFeatures judges a runtime that does not have the command features by its version.
func withoutFeatures(name, what string, v version) Result {
	if strings.Contains(v.text, "SECCOMP") && !strings.Contains(v.text, "+SECCOMP") {
		return fail(name, "install one that is built with seccomp", "%s loads no seccomp filters",
			what)
	}
	return withoutFlag(name, what)
}

func withoutFlag(name, what string) Result {
	_, major, minor := kernelRelease()
	if major < 5 || major == 5 && minor < 19 {
		return ok(name, "%s loads the filter", what) // the kernel lacks the flag, too
	}
	return warn(name, "install one whose `features` has that flag: runc 1.5 with libseccomp 2.6",
		"%s loads the filter, but a signal can end a bind in its"+
			" containers with EINTR (no WAIT_KILLABLE_RECV)", what)
}

// A version is what a runtime's --version prints.
type version struct{ first, text string }

func versionOf(path string) version {
	ctx, cancel := context.WithTimeout(context.Background(), versionLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return version{first: fmt.Sprintf("(--version: %v)", err)}
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return version{"(" + strings.TrimSpace(first) + ")", string(out)}
}

// olderThan reports whether a version is known and older than major.minor.
func olderThan(version string, major, minor int) bool {
	var itsMajor, itsMinor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &itsMajor, &itsMinor); n < 2 {
		return false
	}
	return itsMajor < major || itsMajor == major && itsMinor < minor
}

// isRoot reports whether this process runs as root.
func isRoot() bool { return unix.Geteuid() == 0 }
