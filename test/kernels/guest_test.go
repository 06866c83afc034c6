package kernels

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// cache is where packages are unpacked and guests are made.
const cache = "../../.cache/kernels"

// A machine is what an architecture's guests have in common.
type machine struct {
	debian  string   // Debian's name of the architecture, which is Go's, too
	qemu    []string // the emulator, and the machine that it emulates
	console string   // the kernel's name of its first serial port
	cc      string   // the compiler of the probes
}

var amd64 = machine{
	debian:  "amd64",
	qemu:    []string{"qemu-system-x86_64", "-cpu", "max,la57=off"},
	console: "ttyS0",
	cc:      "gcc",
}

// programs are the Debian packages of a guest, and what their programs load.
var programs = []string{
	"busybox-static", "kmod", "libc6", "libcap-ng0", "libkmod2", "liblzma5", "libseccomp2",
	"libssl3", "libzstd1", "runc", "util-linux",
}

// unpack returns the directory into which fetch.sh has unpacked packages, and a regular
// expression's share of their dependencies.
func unpack(t *testing.T, name, suite, arch, follow string, packages ...string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(cache, name))
	require.NoError(t, err)
	args := append([]string{dir, suite, arch, follow}, packages...)
	out, err := exec.Command("./fetch.sh", args...).CombinedOutput()
	require.NoError(t, err, "%s %s of Debian's %s is needed, and can't be had: %s",
		strings.Join(packages, ", "), arch, suite, out)
	return dir
}

// suite returns the name of this system's release of Debian.
func suite(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/etc/os-release")
	require.NoError(t, err)
	name := regexp.MustCompile(`(?m)^VERSION_CODENAME=(.*)$`).FindSubmatch(text)
	require.NotNil(t, name, "/etc/os-release names no release of Debian")
	return string(name[1])
}

// newRoot makes the root directory of the machine's guests, without a kernel's modules.
func (m machine) newRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"src/bin", "src/test/probes", "src/deploy/systemd", "compiled"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	debian := unpack(t, "programs-"+m.debian, suite(t), m.debian, "^$", programs...)
	const repository = "../.."
	for from, to := range map[string]string{
		debian + "/.":                        ".",
		"testdata/init":                      "init",
		repository + "/test/probes/testdata": "src/test/probes",
		repository + "/deploy/systemd/port-restricter.service": "src/deploy/systemd",
	} {
		run(t, "cp", "-a", from, filepath.Join(root, to))
	}
	for _, docs := range []string{"usr/share/doc", "usr/share/man", "usr/share/locale"} {
		require.NoError(t, os.RemoveAll(filepath.Join(root, docs)))
	}
	m.build(t, filepath.Join(root, "src/bin/port-restricter"),
		"build", "-tags", "seccomp,netgo,osusergo",
		"-ldflags", "-linkmode external -extldflags -static", repository+"/cmd/port-restricter")
	m.build(t, filepath.Join(root, "src/test/probes/probes.test"),
		"test", "-c", "-tags", "seccomp,netgo,osusergo",
		"-ldflags", "-linkmode external -extldflags -static", repository+"/test/probes")
	run(t, "go", "test", "-count=1", "-run", "^TestCompile$", repository+"/test/probes",
		"-args", "-cc", m.cc, "-compile", filepath.Join(root, "compiled"))
	return root
}

// build runs the go command for the machine.
func (m machine) build(t *testing.T, output string, args ...string) {
	t.Helper()
	goCommand := exec.Command("go", append([]string{args[0], "-o", output}, args[1:]...)...)
	goCommand.Env = append(os.Environ(), "GOARCH="+m.debian, "CGO_ENABLED=1", "CC="+m.cc)
	out, err := goCommand.CombinedOutput()
	require.NoError(t, err, "%s: %s", goCommand, out)
}

// A kernel is one that Debian has.
type kernel struct {
	image   string // the file that is booted
	modules string // the directory of its modules: lib/modules/VERSION
	version string
}

// debianKernel returns the kernel of a suite.
func (m machine) debianKernel(t *testing.T, suite string) kernel {
	t.Helper()
	dir := unpack(t, suite+"-"+m.debian, suite, m.debian,
		"^linux-(image|binary|modules)-[0-9]", "linux-image-"+m.debian)
	directories, err := filepath.Glob(dir + "/lib/modules/*")
	require.NoError(t, err)
	base := dir
	if len(directories) == 0 { // newer packages
		base = dir + "/usr"
		directories, err = filepath.Glob(base + "/lib/modules/*")
		require.NoError(t, err)
	}
	require.Len(t, directories, 1, "the kernel's modules in %s", dir)
	modules := directories[0]
	version := filepath.Base(modules)
	image := filepath.Join(dir, "boot/vmlinuz-"+version)
	if _, err := os.Stat(image); err != nil {
		image = filepath.Join(modules, "vmlinuz")
	}
	if _, err := os.Stat(modules + "/modules.dep.bin"); err != nil {
		run(t, "depmod", "-b", base, version)
	}
	return kernel{image, modules, version}
}

// wanted matches the modules of which a guest gets those that exist, with what they need.
var wanted = regexp.MustCompile(`^kernel/(net/(9p|ipv4|ipv6|mptcp|netlink|packet|unix|sctp|smc|` +
	`vmw_vsock|rxrpc|xdp|tls|dccp|tipc|rds|can|bluetooth|l2tp|qrtr|phonet|key)/|` +
	`drivers/virtio/|drivers/net/(tun|veth|dummy)\.|fs/(9p|fuse|overlayfs)/|crypto/|` +
	`drivers/char/hw_random/|lib/)`)

// addModules copies the kernel's modules into a root directory.
func (k kernel) addModules(t *testing.T, root string) {
	t.Helper()
	needs := k.dependencies(t)
	to := filepath.Join(root, "lib/modules", k.version)
	require.NoError(t, os.MkdirAll(to, 0o755))
	copied := map[string]bool{}
	var add func(module string)
	add = func(module string) {
		if copied[module] {
			return
		}
		copied[module] = true
		file := filepath.Join(to, module)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		run(t, "cp", filepath.Join(k.modules, module), file)
		for _, other := range needs[module] {
			add(other)
		}
	}
	for module := range needs {
		if wanted.MatchString(module) {
			add(module)
		}
	}
	indexes, err := filepath.Glob(k.modules + "/modules.*")
	require.NoError(t, err)
	run(t, "cp", append(indexes, to)...)
}

// dependencies returns what each module needs, from the index that depmod(8) has made.
func (k kernel) dependencies(t *testing.T) map[string][]string {
	t.Helper()
	file, err := os.Open(k.modules + "/modules.dep")
	require.NoError(t, err)
	defer file.Close()
	needs := map[string][]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		module, others, _ := strings.Cut(lines.Text(), ":")
		needs[module] = strings.Fields(others)
	}
	require.NotEmpty(t, needs)
	return needs
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s: %s", command, out)
}
