package survive

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who has the directory of the socket for events mounted, as a pod has, reads events there, and
// nothing else. Nobody else may connect: no other user of the machine, whatever its groups.
func TestTheSocketForEventsIsForWhoMountsIt(t *testing.T) {
	const unit, directory = "port-restricter-events.socket",
		"/run/port-restricter-kubernetes/events"
	a := startAgent(t)
	copyFile(t, filepath.Join(units, unit), filepath.Join(a.units, unit))
	a.ctl("daemon-reload")
	a.ctl("stop", "port-restricter.service")
	a.ctl("start", unit, "port-restricter.service")
	t.Cleanup(func() { a.ctl("stop", unit) })

	// The stream of events goes on for ever.
	nobody := []string{"setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "curl",
		"--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}"}
	ask := func(path, question string) *exec.Cmd {
		const mount = `mount --bind -o ro "$0" /mnt && exec "$@"`
		command := append([]string{"--mount", "sh", "-c", mount, directory}, nobody...)
		return exec.Command("unshare",
			append(command, "--unix-socket", path, "http://agent"+question)...)
	}
	require.Error(t, ask(directory+"/events.sock", "/v1/events").Run())
	for question, status := range map[string]string{
		"/v1/containers": "404", "/v1/agent": "404", "/metrics": "404", "/v1/events": "200",
	} {
		out, _ := ask("/mnt/events.sock", question).Output()
		require.Equal(t, status, string(out), question)
	}
}
