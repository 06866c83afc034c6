package survive

import (
	"bufio"
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

	nobody := []string{"setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "curl",
		"-siN"}
	ask := func(path, question string) *exec.Cmd {
		const mount = `mount --bind -o ro "$0" /mnt && exec "$@"`
		command := append([]string{"--mount", "sh", "-c", mount, directory}, nobody...)
		return exec.Command("unshare",
			append(command, "--unix-socket", path, "http://agent"+question)...)
	}
	require.Error(t, ask(directory+"/events.sock", "/v1/events").Run())
	for _, question := range []string{"/v1/containers", "/v1/agent", "/metrics"} {
		out, err := ask("/mnt/events.sock", question).Output()
		require.NoError(t, err)
		require.Contains(t, string(out), "404 Not Found", question)
	}
	reader := ask("/mnt/events.sock", "/v1/events")
	out, err := reader.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, reader.Start())
	defer func() { _ = reader.Process.Kill(); _ = reader.Wait() }()
	first, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, first, "200 OK")
}
