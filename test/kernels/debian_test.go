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

// unpack returns the directory into which fetch.sh has unpacked packages, with those of their
// dependencies whose names match a regular expression. What was unpacked is kept for the next
// run.
func unpack(t *testing.T, name, suite, arch, follow string, packages ...string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(repository, ".cache/kernels", name))
	require.NoError(t, err)
	args := append([]string{dir, suite, arch, follow}, packages...)
	out, err := exec.Command("./fetch.sh", args...).CombinedOutput()
	require.NoError(t, err, "this test needs packages of Debian's %s for %s that can't be had "+
		"(%s): %s", suite, arch, strings.Join(packages, ", "), out)
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

// A kernel is one that Debian has.
type kernel struct {
	image   string // the file that is booted
	modules string // the directory of its modules: lib/modules/VERSION
	version string
}

// debianKernel returns the kernel of a suite.
func debianKernel(t *testing.T, suite, arch string) kernel {
	t.Helper()
	dir := unpack(t, suite+"-"+arch, suite, arch,
		"^linux-(image|binary|modules)-[0-9]", "linux-image-"+arch)
	base := dir
	directories, err := filepath.Glob(base + "/lib/modules/*")
	require.NoError(t, err)
	if len(directories) == 0 { // newer packages
		base = dir + "/usr"
		directories, err = filepath.Glob(base + "/lib/modules/*")
		require.NoError(t, err)
	}
	require.Len(t, directories, 1, "the kernel's modules in %s", dir)
	modules := directories[0]
	version := filepath.Base(modules)
	image := filepath.Join(dir, "boot/vmlinuz-"+version)
	if _, err := os.Stat(image); err != nil { // newer packages
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
	to := filepath.Join(root, "lib/modules", k.version)
	require.NoError(t, os.MkdirAll(to, 0o755))
	needs, copied := k.dependencies(t), map[string]bool{}
	var add func(module string)
	add = func(module string) {
		if copied[module] {
			return
		}
		copied[module] = true
		text, err := os.ReadFile(filepath.Join(k.modules, module))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(to, module)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(to, module), text, 0o644))
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
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		module, others, _ := strings.Cut(lines.Text(), ":")
		needs[module] = strings.Fields(others)
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, needs)
	return needs
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s: %s", command, out)
}
