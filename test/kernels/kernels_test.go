package kernels

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	suites = flag.String("suites", "bookworm", "the `suites` of Debian whose kernels are tried")
	probes = flag.String("probes", "", "a regular expression for the `names` of the probes to run")
)

// slowness is by how much a guest is slower than a real machine.
const slowness = "10"

// ways are the ways in which each probe runs.
var ways = []string{"bare", "bare-user", "bare-runc", "cli-root", "cli-user", "runc"}

// TestProbesOnDebiansKernels shows that what test/probes shows is true on other kernels, too.
func TestProbesOnDebiansKernels(t *testing.T) {
	root := amd64.newRoot(t)
	for suite := range strings.SplitSeq(*suites, ",") {
		t.Run(suite, func(t *testing.T) {
			k := amd64.debianKernel(t, suite)
			g := boot(t, amd64, k, root)
			t.Logf("Linux %s, of Debian's %s\n%s", k.version, suite, g.table())
			require.True(t, g.passed, "%s", g.log)
		})
	}
}

// A guest is what is left of an emulated machine that has run the probes.
type guest struct {
	log     string // what the Go test printed
	passed  bool
	results map[string]map[string]struct{ Word, Why string } // probe → way → outcome
}

// boot runs the probes on a kernel, in an emulated machine.
func boot(t *testing.T, m machine, k kernel, root string) guest {
	t.Helper()
	dir := t.TempDir()
	shared := filepath.Join(dir, "shared")
	require.NoError(t, os.Mkdir(shared, 0o755))
	pattern := "^TestProbes$"
	if *probes != "" {
		pattern += "/" + *probes
	}
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(shared, name), []byte(text), 0o644))
	}
	write("slowness", slowness)
	write("flags", "-test.v -test.timeout 2h -test.run "+pattern+" -compiled /compiled -ways "+
		strings.Join(ways, ",")+" -results /host/results.json")
	initramfs := filepath.Join(dir, "initramfs")
	k.archive(t, root, initramfs)

	console := filepath.Join(dir, "console")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()
	argv := slices.Concat([]string{"nice", "-n", "5"}, m.qemu, []string{
		"-accel", "tcg,thread=multi", "-smp", "2", "-m", "3G", "-nic", "none", "-no-reboot",
		"-display", "none", "-serial", "file:" + console, "-monitor", "none",
		"-kernel", k.image, "-initrd", initramfs,
		"-append", "console=" + m.console + " quiet panic=-1 mitigations=off",
		"-fsdev", "local,id=host,security_model=none,path=" + shared,
		"-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
	})
	emulator := exec.CommandContext(ctx, argv[0], argv[1:]...)
	emulator.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := emulator.CombinedOutput()
	said, _ := os.ReadFile(console)
	require.NoError(t, err, "%s: %s\n%s", emulator, out, said)

	log, err := os.ReadFile(filepath.Join(shared, "log"))
	require.NoError(t, err, "the guest ran no probe: %s", said)
	g := guest{log: string(log), passed: strings.HasSuffix(string(log), "\nPASS\n")}
	text, err := os.ReadFile(filepath.Join(shared, "results.json"))
	require.NoError(t, err, "the probes did not end: %s\n%s", log, said)
	require.NoError(t, json.Unmarshal(text, &g.results))
	return g
}

// archive makes an initramfs of the root directory and the kernel's modules.
func (k kernel) archive(t *testing.T, root, file string) {
	t.Helper()
	modules := t.TempDir()
	k.addModules(t, modules)
	pack := fmt.Sprintf("for d in %s %s; do (cd $d && find . | busybox cpio -o -H newc); done >%s",
		root, modules, file)
	run(t, "sh", "-c", pack)
}

// table returns the results, a line for each probe.
func (g guest) table() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%-34s", "probe")
	for _, w := range ways {
		fmt.Fprintf(&text, " %-9s", w)
	}
	names := make([]string, 0, len(g.results))
	for name := range g.results {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "\n%-34s", name)
		for _, w := range ways {
			fmt.Fprintf(&text, " %-9s", g.results[name][w].Word)
		}
	}
	return text.String()
}
