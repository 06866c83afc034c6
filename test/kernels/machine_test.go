package kernels

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A machine is what an architecture's guests have in common.
type machine struct {
	arch    string   // as Go names it, and Debian
	qemu    []string // the emulator, and the machine that it emulates
	console string   // the kernel's name of its first serial port
	cross   bool     // it is not the architecture of the host
}

var machines = map[string]machine{
	"amd64": {
		arch: "amd64", qemu: []string{"qemu-system-x86_64", "-cpu", "max,la57=off"},
		console: "ttyS0",
	},
	"arm64": {
		arch:    "arm64",
		qemu:    []string{"qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72"},
		console: "ttyAMA0", cross: true,
	},
}

// A toolchain makes programs for a machine.
type toolchain struct {
	cc          string
	environment []string // for the go command
}

// toolchain returns the compiler for the machine.
func (m machine) toolchain(t *testing.T) toolchain {
	if !m.cross {
		return toolchain{"gcc", os.Environ()}
	}
	out, err := exec.Command("./toolchain.sh", m.arch).Output()
	require.NoError(t, err, "find a compiler for %s", m.arch)
	environment := strings.Split(strings.TrimSpace(string(out)), "\n")
	at := slices.IndexFunc(environment, func(v string) bool { return strings.HasPrefix(v, "CC=") })
	return toolchain{
		strings.TrimPrefix(environment[at], "CC="), append(os.Environ(), environment...),
	}
}

const repository = "../.."

// tags are the Makefile's: what is compiled with the same flags is compiled once.
const tags = "seccomp,netgo,osusergo"

// programs are the Debian packages of a guest, and what their programs load. runc is that of
// test/tools, since Debian's does not run on Linux 5.10.
var programs = []string{
	"busybox-static", "kmod", "libc6", "libcap-ng0", "libkmod2", "liblzma5", "libssl3",
	"libzstd1", "util-linux",
}

// newRoot makes the root directory of the machine's guests, without a kernel's modules.
func (m machine) newRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"src/bin", "src/test/probes", "src/deploy/systemd"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	debian := unpack(t, "programs-"+m.arch, suite(t), m.arch, "^$", programs...)
	const unit = "deploy/systemd/port-restricter.service"
	for from, to := range map[string]string{
		debian + "/.":                        ".",
		"testdata/init":                      "init",
		repository + "/test/probes/testdata": "src/test/probes",
		filepath.Join(repository, unit):      "src/" + unit,
	} {
		run(t, "cp", "-a", from, filepath.Join(root, to))
	}
	for _, docs := range []string{"usr/share/doc", "usr/share/man", "usr/share/locale"} {
		require.NoError(t, os.RemoveAll(filepath.Join(root, docs)))
	}
	tools := m.toolchain(t)
	for _, program := range []string{"port-restricter", "port-restricter-admin"} {
		tools.build(t, filepath.Join(root, "src/bin", program), repository,
			"./cmd/"+program, "build")
	}
	tools.build(t, filepath.Join(root, "src/test/probes/probes.test"), repository,
		"./test/probes", "test", "-c")
	tools.build(t, filepath.Join(root, "usr/sbin/runc"), repository+"/test/tools/runc",
		"github.com/opencontainers/runc", "build")
	compiled, err := filepath.Abs(filepath.Join(repository, ".cache/kernels/probes-"+m.arch))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(compiled, 0o755))
	run(t, "go", "test", "-tags", tags, "-count=1", "-run", "^TestCompile$",
		repository+"/test/probes", "-args", "-cc", tools.cc, "-compile", compiled)
	run(t, "cp", "-a", compiled, filepath.Join(root, "compiled"))
	return root
}

// build makes a static program of a package, by a subcommand of the go command in a module's
// directory.
func (tools toolchain) build(t *testing.T, output, module, pkg string, subcommand ...string) {
	t.Helper()
	command := exec.Command("go", append(subcommand, "-o", output, "-trimpath", "-tags", tags,
		"-ldflags", "-linkmode external -extldflags -static", pkg)...)
	command.Dir, command.Env = module, tools.environment
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s: %s", command, out)
}
