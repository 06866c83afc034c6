package programs

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	podmanServes  = "status 143" // of a server that timeout(1) ends
	podmanRefused = "nc: bind: Operation not permitted"
)

// TestPodmanInside shows that the containers of a podman that runs under the command line are
// held to its ports, also without root, unless podman needs newuidmap, a setuid program.
func TestPodmanInside(t *testing.T) {
	const noIDs = "newuidmap: write to uid_map failed"
	for name, run := range map[string]struct {
		user, ids string
		serves    string // what podman says of a container on the allowed port
	}{
		"root":             {"root", "", podmanServes},
		"user":             {"nobody", "", podmanServes},
		"user with subids": {"nobody", "nobody:1000000:65536\n", noIDs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, run.user, "")
			p.mount("mount -t tmpfs -o mode=755 tmpfs /run")
			p.replace("/etc/subuid", run.ids)
			p.replace("/etc/subgid", run.ids)
			_, err := p.try("sh", "-ec", "mkdir -p rootfs/bin rootfs/etc rootfs/run;"+
				"cp /bin/busybox rootfs/bin")
			require.NoError(t, err)
			restricted := []string{"port-restricter", "-p", strconv.Itoa(allowed), "--"}
			out, err := p.try(podman(p, forbidden)...) // on the bare machine
			require.NoError(t, err)
			require.Contains(t, out, podmanServes)
			p.says(run.serves, append(restricted, podman(p, allowed)...)...)
			if run.serves == podmanServes {
				p.says(podmanRefused, append(restricted, podman(p, forbidden)...)...)
			}
		})
	}
}

// says waits until a program has said something. Podman without root leaves a process behind,
// so nobody waits for its end.
func (p *place) says(words string, command ...string) {
	p.Helper()
	s := p.start(command...)
	p.await(func() error {
		if !strings.Contains(s.output(), words) {
			return fmt.Errorf("%s does not say %q", command[0], words)
		}
		return nil
	}, s.output)
}

// podman returns the command that runs a container which listens on a port for a second.
func podman(p *place, port int) []string {
	return []string{
		"podman", "--storage-driver", "vfs", "--root", p.path("root"), "--runroot", p.path("run"),
		"--cgroup-manager", "cgroupfs", "--runtime", "runc", "run", "--rm", "--network", "none",
		"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024",
		"--rootfs", p.path("rootfs"), "/bin/busybox", "sh", "-c",
		"busybox timeout 1 busybox nc -l -p " + strconv.Itoa(port) + "; echo status $?",
	}
}
