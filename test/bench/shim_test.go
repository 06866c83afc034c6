// Package bench measures what port-restricter costs. No benchmark fails for being
// slow.
//
// latency_test.go measures a bind, ways_test.go has the other ways to restrict a
// program that a bind is compared with, stall_test.go puts hostile containers beside
// the measured one, scale_test.go has many containers on one agent, and shim_test.go
// measures the runtime shim. Most of them print Markdown tables.
package bench

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/test/runc"
)

const realRuntime = "/usr/sbin/runc"

// report adds the minimum and the median, in milliseconds. On a machine that also does
// other work, they say more than the mean.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(milliseconds(took[0]), "ms-min")
	b.ReportMetric(milliseconds(took[len(took)/2]), "ms-p50")
}

// BenchmarkPassThrough measures a command that the shim only passes on to the runtime.
func BenchmarkPassThrough(b *testing.B) {
	for name, runtime := range map[string]string{"direct": realRuntime, "shim": runc.Shim(b)} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				command := exec.Command(runtime, "--version")
				command.Env = append(os.Environ(), "PORT_RESTRICTER_RUNTIME="+realRuntime)
				start := time.Now()
				require.NoError(b, command.Run())
				took = append(took, time.Since(start))
			}
			report(b, took)
		})
	}
}

// BenchmarkCreate measures how long it takes to create a container: by runc alone, with
// and without the filter in config.json, and by the shim, which adds the filter to an
// annotated container and does nothing for another.
func BenchmarkCreate(b *testing.B) {
	agent := runc.StartAgent(b)
	direct := runc.Runtime{Path: realRuntime}
	shim := direct.Shimmed(b, agent)
	annotations := map[string]string{"port-restricter.port": "5000"}
	for _, run := range []struct {
		name   string
		config runc.Config
	}{
		{"direct", runc.Config{Runtime: direct}},
		{"direct with filter", runc.Config{
			Runtime: direct, Annotations: annotations, Seccomp: agent.Profile(b),
		}},
		{"shim without annotation", runc.Config{Runtime: shim}},
		{"shim with annotation", runc.Config{Runtime: shim, Annotations: annotations}},
	} {
		b.Run(run.name, func(b *testing.B) {
			run.config.Rootfs = runc.Rootfs(b)
			run.config.Args = []string{"/bin/busybox", "true"}
			container := runc.New(b, run.config)
			text, err := os.ReadFile(container.ConfigFile())
			require.NoError(b, err)
			var took []time.Duration
			for b.Loop() {
				// The shim edited config.json the last time.
				require.NoError(b, os.WriteFile(container.ConfigFile(), text, 0o600))
				start := time.Now()
				require.NoError(b, container.Create(b))
				took = append(took, time.Since(start))
				container.Delete(b)
			}
			report(b, took)
		})
	}
}
