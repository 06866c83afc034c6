// Package bench measures what we cost. Nothing in it fails for being slow.
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

// report adds what a mean hides: on a machine with others the lowest and the
// middle say more.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	milliseconds := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(milliseconds(took[0]), "ms-min")
	b.ReportMetric(milliseconds(took[len(took)/2]), "ms-p50")
}

// BenchmarkPassThrough is a command that is none of the shim's business.
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

// BenchmarkCreate makes containers: by runc alone, with the filter in their
// config.json or without, and by the shim, which puts it there or has nothing to do.
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
		{"direct with filter", runc.Config{Runtime: direct, Annotations: annotations, Seccomp: agent.Profile(b)}},
		{"shim without annotation", runc.Config{Runtime: shim}},
		{"shim with annotation", runc.Config{Runtime: shim, Annotations: annotations}},
	} {
		b.Run(run.name, func(b *testing.B) {
			run.config.Rootfs, run.config.Args = runc.Rootfs(b), []string{"/bin/busybox", "true"}
			container := runc.New(b, run.config)
			text, err := os.ReadFile(container.ConfigFile())
			require.NoError(b, err)
			var took []time.Duration
			for b.Loop() {
				require.NoError(b, os.WriteFile(container.ConfigFile(), text, 0o600)) // the shim edited it
				start := time.Now()
				require.NoError(b, container.Create(b))
				took = append(took, time.Since(start))
				container.Delete(b)
			}
			report(b, took)
		})
	}
}
