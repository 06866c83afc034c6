package kernels

import (
	"context"
	"encoding/json"
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

const (
	// slowness is by how much a guest is slower than a real machine.
	slowness = "10"

	// patience bounds all of a guest's time.
	patience = 2 * time.Hour
)

// A guest is what is left of an emulated machine that has run probes.
type guest struct {
	log     string // what the Go tests printed
	passed  bool
	results map[string]map[string]outcome // probe → way → outcome
}

// An outcome is that of test/probes: a word, and what the probe said.
type outcome struct{ Word, Why string }

// A selection is some probes, by a regular expression for go test's -run, and the ways in which
// they run.
type selection struct {
	tests string
	ways  []string
}

// boot runs probes on a kernel, in an emulated machine.
func boot(t *testing.T, m machine, k kernel, root string, all ...selection) guest {
	t.Helper()
	shared, initramfs := t.TempDir(), filepath.Join(t.TempDir(), "initramfs")
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(shared, name), []byte(text), 0o644))
	}
	for i, s := range all {
		write(fmt.Sprintf("%d.flags", i), fmt.Sprintf("-test.v -test.timeout %s -test.run %s "+
			"-compiled /compiled -ways %s -results /host/%d.results",
			patience, s.tests, strings.Join(s.ways, ","), i))
	}
	write("slowness", slowness)
	k.archive(t, root, initramfs)
	console := m.run(t, k, initramfs, shared)

	g := guest{passed: true, results: map[string]map[string]outcome{}}
	for i := range all {
		log, err := os.ReadFile(fmt.Sprintf("%s/%d.log", shared, i))
		require.NoError(t, err, "the guest ran no probe: %s", console)
		g.log += string(log)
		g.passed = g.passed && strings.HasSuffix(string(log), "\nPASS\n")
		text, err := os.ReadFile(fmt.Sprintf("%s/%d.results", shared, i))
		require.NoError(t, err, "the probes did not end: %s\n%s", log, console)
		var results map[string]map[string]outcome
		require.NoError(t, json.Unmarshal(text, &results))
		for probe, ways := range results {
			for way, how := range ways {
				if g.results[probe] == nil {
					g.results[probe] = map[string]outcome{}
				}
				g.results[probe][way] = how
			}
		}
	}
	return g
}

// run boots the kernel, waits for the guest's end, and returns what its console said.
func (m machine) run(t *testing.T, k kernel, initramfs, shared string) string {
	t.Helper()
	console := filepath.Join(t.TempDir(), "console")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
	return string(said)
}

// archive makes an initramfs of a root directory and the kernel's modules.
func (k kernel) archive(t *testing.T, root, file string) {
	t.Helper()
	modules := t.TempDir()
	k.addModules(t, modules)
	pack := fmt.Sprintf("for d in %s %s; do (cd $d && find . | busybox cpio -o -H newc); done >%s",
		root, modules, file)
	run(t, "sh", "-c", pack)
}

// table returns the results in these ways, a line for each probe.
func (g guest) table(ways []string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%-34s %s", "probe", strings.Join(ways, " "))
	names := make([]string, 0, len(g.results))
	for name := range g.results {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "\n%-34s", name)
		why := ""
		for _, w := range ways {
			how := g.results[name][w]
			fmt.Fprintf(&text, " %-*s", len(w), how.Word)
			if how.Word == "n/a" {
				why = how.Why
			}
		}
		text.WriteString("  " + why)
	}
	return text.String()
}
