package kernels

import (
	"flag"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	kernels = flag.String("kernels", "bookworm/amd64",
		"the `SUITE/ARCHITECTURE,...` of Debian whose kernels are tried")
	probes = flag.String("probes", "", "a regular expression for the `names` of the probes to run")
)

// commandLine is the ways in which every probe runs.
var commandLine = []string{"bare", "bare-user", "cli-root", "cli-user"}

// container is the ways in which inContainer runs: a container's start takes seconds.
var container = []string{"bare-runc", "runc"}

// inContainer is one probe for each step that the agent does in another way than the command
// line, or on an old kernel in another way than on a new one.
const inContainer = "^(allowed_stream|bind_forbidden_tcp4|from_thread|from_thread_own_files|" +
	"killed_in_bind|priv_port_with_cap|signals_restart|stuck_page|unix_path|unix_peercred)$"

// TestProbesOnDebiansKernels shows that what test/probes shows is true on other kernels, too, as
// far as docs/kernels.md says.
func TestProbesOnDebiansKernels(all *testing.T) {
	roots := map[string]string{} // by architecture, for the whole test
	for name := range strings.SplitSeq(*kernels, ",") {
		all.Run(name, func(t *testing.T) {
			suite, arch, _ := strings.Cut(name, "/")
			m, known := machines[arch]
			require.True(t, known, "-kernels %s: the architecture must be amd64 or arm64", name)
			k := debianKernel(t, suite, arch)
			if roots[arch] == "" {
				roots[arch] = m.newRoot(all)
			}
			selected := []selection{
				{"^TestProbes$/" + *probes, commandLine},
				{"^TestProbes$/" + inContainer, container},
			}
			if *probes != "" {
				selected[1].tests = "^TestProbes$/" + *probes
			}
			g := boot(t, m, k, roots[arch], selected...)
			t.Logf("Linux %s, of Debian's %s\n%s", k.version, name,
				g.table(append(commandLine, container...)))
			if *probes == "" {
				g.checkDocumented(t, name)
			}
			require.True(t, g.passed, "%s", g.log)
		})
	}
}
