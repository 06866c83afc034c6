package operate

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/test/runc"
)

// without returns a runtime whose containers share namespaces with the machine.
func without(namespaces ...specs.LinuxNamespaceType) runc.Runtime {
	return runc.Runtime{Mend: func(s *specs.Spec) {
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces,
			func(n specs.LinuxNamespace) bool { return slices.Contains(namespaces, n.Type) })
	}}
}

// Status shows on what the processes of a container listen, also those that left the process that
// started them, and nothing of another container in the same namespaces.
func TestStatusShowsOnWhatAContainerListens(t *testing.T) {
	server := runc.StartQuietAgent(t)
	for name, runtime := range map[string]runc.Runtime{
		"namespaces of its own": without(),
		"network of the host":   without(specs.NetworkNamespace),
		"all of the host":       without(specs.NetworkNamespace, specs.PIDNamespace),
	} {
		t.Run(name, func(t *testing.T) {
			var ids []string
			for _, port := range []int{39810, 39820} {
				rootfs := runc.Rootfs(t)
				out, err := exec.Command("gcc", "-static", "testdata/daemon.c", "-o",
					filepath.Join(rootfs, "bin/daemon")).CombinedOutput()
				require.NoError(t, err, string(out))
				c := runc.New(t, runc.Config{
					Rootfs: rootfs, Args: []string{busybox, "sleep", "600"}, Runtime: runtime,
					Seccomp:     server.Profile(t),
					Annotations: map[string]string{key: fmt.Sprintf("%d-%d", port, port+2)},
				})
				require.NoError(t, c.Start(t))
				result := runc.Finish(t,
					c.Exec(t, "/bin/daemon", fmt.Sprint(port), fmt.Sprint(port+1)))
				require.Zero(t, result.Code, result.Stderr)
				require.NoError(t, listen(t, c, port+2).Start()) // its parent is outside
				ids = append(ids, c.State(t).ID)
			}
			for i, id := range ids {
				port := 39810 + 10*i
				var one control.Details
				require.Eventually(t, func() bool {
					result := runc.Finish(t, server.Ask(t, "status", id, "--json"))
					require.NoError(t, json.Unmarshal([]byte(result.Stdout), &one), result.Stderr)
					require.Empty(t, one.Listening.Incomplete)
					return len(one.Listening.Sockets) >= 3
				}, time.Minute, 100*time.Millisecond)
				var found []string
				for _, s := range one.Listening.Sockets {
					found = append(found, fmt.Sprintf("%s:%d/%s", s.Address, s.Port, s.Protocol))
				}
				require.Equal(t, []string{
					fmt.Sprintf("0.0.0.0:%d/tcp", port), fmt.Sprintf(":::%d/tcp", port+2),
					fmt.Sprintf("0.0.0.0:%d/udp", port+1),
				}, found)
				require.Equal(t, "a\x1b[31mb", one.Listening.Sockets[0].Program)
				result := runc.Finish(t, server.Ask(t, "status", id))
				require.Regexp(t, fmt.Sprintf(`(?m)^Listens: +0.0.0.0:%d/tcp: a\\x1b\[31mb `+
					`\(process %d\)$`, port, one.Listening.Sockets[0].PID), result.Stdout)
			}
		})
	}
}

// An agent without the privilege to look says so, and the rest of the answer is as ever.
func TestStatusSaysThatItCannotSeeTheSockets(t *testing.T) {
	capabilities := slices.DeleteFunc(runc.Capabilities(t),
		func(c string) bool { return c == "dac_override" })
	server := runc.StartAgentWith(t, capabilities)
	c := idle(t, server, "5000")
	require.NoError(t, listen(t, c, 5000).Start())
	require.Eventually(t, func() bool {
		result := runc.Finish(t, server.Ask(t, "status", c.State(t).ID))
		require.Zero(t, result.Code, result.Stderr)
		require.Contains(t, result.Stdout, "Policy: ")
		require.NotContains(t, result.Stdout, "Listens: ")
		return strings.Contains(result.Stdout, "processes can't be read (permission denied)")
	}, time.Minute, 100*time.Millisecond)
}
