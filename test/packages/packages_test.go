// Package packages tests the packages that `make packages` has built: what Debian's and RPM's
// checkers say, and what they do when they are installed, upgraded and removed.
package packages

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/settings"

	"github.com/port-restricter/port-restricter/test/booted"
)

const built = "../../bin/packages"

// native is this machine's architecture, whose packages must be there.
const native = runtime.GOARCH

// arches returns the architectures for which packages were built.
func arches(t *testing.T) (arches []string) {
	t.Helper()
	for _, variable := range made(t) {
		if list, is := strings.CutPrefix(variable, "ARCHES="); is {
			arches = strings.Fields(list)
		}
	}
	require.Contains(t, arches, native, "run make packages")
	return arches
}

// made returns the variables of the build, for the environment of another one.
func made(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(built + "/made")
	require.NoError(t, err, "run make packages")
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// packagesOf returns the two packages of an architecture.
func packagesOf(t *testing.T, arch string) (deb, rpm string) {
	t.Helper()
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch]
	return only(t, built+"/*_"+arch+".deb"), only(t, built+"/*."+machine+".rpm")
}

func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.Len(t, found, 1, "%s: run make packages", pattern)
	return found[0]
}

// olderVersion returns a directory with the packages of a version that had no control socket.
func olderVersion(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	units := dir + "/tree/all/usr/lib/systemd"
	booted.Run(t, "cp", "-a", built+"/"+native+"/tree", dir)
	require.NoError(t, os.Remove(units+"/system/port-restricter-control.socket"))
	booted.Run(t, "sed", "-i", "/control/d", units+"/system-preset/80-port-restricter.preset")
	command := exec.Command("../../deploy/packages/pack.sh", dir, dir)
	command.Env = append(os.Environ(), "ARCH="+native, "VERSION=0.0~1", "SOURCE_DATE_EPOCH=0")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

func TestTheCheckersFindNoError(t *testing.T) {
	tools, err := filepath.Abs("testdata/bin")
	require.NoError(t, err)
	for _, arch := range arches(t) {
		deb, rpm := packagesOf(t, arch)
		booted.Run(t, "lintian", "--allow-root", "--fail-on", "error", deb)
		booted.Run(t, "env", "PATH="+tools+":"+os.Getenv("PATH"),
			"rpmlint", "--config", "testdata/rpmlint.toml", rpm)
	}
}

// The bill of materials of each program names each of its modules, and its C libraries.
func TestTheBillIsComplete(t *testing.T) {
	for _, arch := range arches(t) {
		for _, suffix := range []string{"", "-admin", "-nri"} {
			program := "port-restricter" + suffix
			bill, err := os.ReadFile(filepath.Join(built, arch, program+".cdx.json"))
			require.NoError(t, err)
			modules := 0
			for line := range strings.Lines(booted.Run(t, "go", "version", "-m",
				filepath.Join(built, arch, program))) {
				fields := strings.Fields(line)
				if len(fields) < 3 || fields[0] != "dep" {
					continue
				}
				modules++
				require.Contains(t, string(bill), `"pkg:golang/`+fields[1]+"@"+fields[2])
			}
			require.Greater(t, modules, 10)
			require.Contains(t, string(bill), `"pkg:generic/libseccomp@2.`)
			require.Contains(t, string(bill), `"pkg:generic/glibc@2.`)
		}
	}
}

// The manual pages are read by man without a warning.
func TestTheManualPagesAreClean(t *testing.T) {
	pages, err := filepath.Glob(built + "/" + native + "/tree/doc/usr/share/man/man?/*.gz")
	require.NoError(t, err)
	require.Greater(t, len(pages), 15)
	for _, page := range pages {
		command := exec.Command("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page)
		var warnings strings.Builder
		command.Stderr = &warnings
		command.Env = append(os.Environ(), "MANROFFSEQ=", "MANWIDTH=80", "LC_ALL=C.UTF-8")
		require.NoError(t, command.Run(), "%s: %s", page, &warnings)
		require.Empty(t, warnings.String(), page)
	}
}

// The manual has every key of config.toml.
func TestTheManualNamesEveryKey(t *testing.T) {
	manual, err := os.ReadFile("../../docs/man/port-restricter.toml.5.md")
	require.NoError(t, err)
	keys := 0
	for _, table := range []any{settings.Settings{}, config.RuleText{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(table)) {
			if key := field.Tag.Get("toml"); key != "-" {
				keys++
				require.Contains(t, string(manual), "**"+key+"** = ")
			}
		}
	}
	require.Greater(t, keys, 5)
}

// Each shell reads its completion without an error, and bash completes by it.
func TestTheCompletionsAreRead(t *testing.T) {
	tree, err := filepath.Abs(built + "/" + native + "/tree")
	require.NoError(t, err)
	bash := tree + "/all/usr/share/bash-completion/completions/port-restricter"
	require.Contains(t, booted.Run(t, "bash", "-c", ". "+bash+" && complete -p port-restricter"),
		"__start_port-restricter")
	booted.Run(t, "zsh", "-n", tree+"/deb/usr/share/zsh/vendor-completions/_port-restricter")
	booted.Run(t, "fish", "--no-execute",
		tree+"/all/usr/share/fish/vendor_completions.d/port-restricter.fish")
}

var anew = flag.Bool("anew", false, "compile all again to see whether packages are reproducible")

// A copy of the source elsewhere, in another locale, time zone and with another umask, makes the
// same packages. With -anew, nothing that was compiled before is taken.
func TestThePackagesAreReproducible(t *testing.T) {
	source, err := filepath.Abs("../..")
	require.NoError(t, err)
	elsewhere := filepath.Join(t.TempDir(), "a longer/path")
	script := `umask 077
		mkdir -p "$1" && cd "$1"
		tar -C "$2" --exclude=./.git --exclude=./.cache --exclude=./bin -c . | tar -x
		ln -s "$2/.cache" .cache
		make -s packages`
	command := exec.Command("sh", "-ec", script, "sh", elsewhere, source)
	command.Env = append(os.Environ(), "TZ=Asia/Kathmandu", "LC_ALL=C.UTF-8")
	command.Env = append(command.Env, made(t)...)
	if *anew {
		command.Env = append(command.Env, "GOCACHE="+t.TempDir())
	}
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, arch := range arches(t) {
		deb, rpm := packagesOf(t, arch)
		for _, file := range []string{deb, rpm} {
			again := filepath.Join(elsewhere, "bin/packages", filepath.Base(file))
			booted.Run(t, "cmp", file, again)
		}
	}
}
