package operate

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/test/runc"
)

// Status shows a container that was refused a port: which program wanted it, and why it was
// refused.
func TestStatusShowsWhatWasRefused(t *testing.T) {
	server := runc.StartQuietAgent(t)
	empty := runc.Finish(t, server.Ask(t, "status"))
	require.Equal(t, runc.Result{Stdout: "The agent serves no container.\n"}, empty)

	c := idle(t, server, "5000")
	id := c.State(t).ID
	requireRefused(t, c, 5001)
	requireRefused(t, c, 5001)
	result := runc.Finish(t, server.Ask(t, "status"))
	require.Zero(t, result.Code, result.Stderr)
	lines := strings.Split(result.Stdout, "\n")
	require.Regexp(t, `^CONTAINER +ID +POLICY +SINCE +ALLOWED +REFUSED +LAST REFUSAL$`, lines[0])
	require.Regexp(t, `^- +`+id[:12]+` +5000 +\d+s +0 +2 +\d+s ago: busybox bind 5001/tcp `+
		`\(2 times\): port 5001/tcp at :: is not in port-restricter.port=5000$`, lines[1])

	var all struct{ Containers []agent.Container }
	result = runc.Finish(t, server.Ask(t, "status", "--json"))
	require.NoError(t, json.Unmarshal([]byte(result.Stdout), &all), result.Stderr)
	require.Equal(t, id, all.Containers[0].ID)

	var one control.Details
	result = runc.Finish(t, server.Ask(t, "status", id[:len(id)-1], "--json"))
	require.NoError(t, json.Unmarshal([]byte(result.Stdout), &one), result.Stderr)
	require.EqualValues(t, 2, one.Denied)
	require.Equal(t, "5000", one.Annotations[key])
	require.Equal(t, []int{c.Pid(t)}, one.PIDs)
	result = runc.Finish(t, server.Ask(t, "status", id))
	require.Contains(t, result.Stdout, "Annotation:    port-restricter.port=5000\n")
	require.Contains(t, result.Stdout, "busybox bind 5001/tcp (2 times)")

	result = runc.Finish(t, server.Ask(t, "status", "nobody"))
	require.Equal(t, 125, result.Code)
	require.Contains(t, result.Stderr, `none has the id, the name, the pod or the bundle "nobody"`)
	result = runc.Finish(t, server.Ask(t, "status", "--watch"))
	require.Contains(t, result.Stderr, "--watch needs a terminal")
}

// What a container has chosen reaches no terminal as it is, and however long it is.
func TestStatusShowsNoControlCharacters(t *testing.T) {
	server := runc.StartQuietAgent(t)
	rootfs := runc.Rootfs(t)
	c := runc.New(t, runc.Config{
		Rootfs: rootfs, Args: []string{busybox, "sleep", "600"}, Seccomp: server.Profile(t),
		Annotations: map[string]string{
			key: "5000", "port-restricter.port/\x1b[2J\u202e": strings.Repeat("1,", 32<<10) + "1",
		},
	})
	require.NoError(t, c.Start(t))
	id := c.State(t).ID
	// A program chooses its name, here by that of its file.
	name := "/tmp/\x1b[31m\x9b2J\n"
	const script = `cp "$0" "$1"; exec -a nc "$1" -l -p 5001`
	bind := c.Exec(t, busybox, "sh", "-c", script, busybox, name)
	runc.Finish(t, bind)
	for _, arguments := range [][]string{{}, {id}, {"--json"}, {id, "--json"}} {
		result := runc.Finish(t, server.Ask(t, "status", arguments...))
		require.Zero(t, result.Code, result.Stderr)
		for _, raw := range []string{"\x1b", "\x9b", "\u202e"} {
			require.False(t, strings.Contains(result.Stdout, raw), "%q %q", raw, arguments)
		}
	}
}

// Each of two agents shows its own containers.
func TestTwoAgentsAreAskedApart(t *testing.T) {
	first, second := runc.StartQuietAgent(t), runc.StartQuietAgent(t)
	a, b := idle(t, first, "5000"), idle(t, second, "5000")
	require.NotContains(t, runc.Finish(t, first.Ask(t, "status", "--json")).Stdout, b.State(t).ID)
	require.NotContains(t, runc.Finish(t, second.Ask(t, "status", "--json")).Stdout, a.State(t).ID)
}

// Without an agent, status says what has happened to the containers, and what to do.
func TestStatusWithoutAnAgent(t *testing.T) {
	server := runc.StartQuietAgent(t)
	socket := server.ControlSocket()
	server.Stop(t)
	require.NoFileExists(t, socket)
	result := runc.Finish(t, server.Ask(t, "status"))
	require.Equal(t, 125, result.Code)
	require.Contains(t, result.Stderr, "no agent: there is no control socket at "+socket)
	require.Contains(t, result.Stderr, "can bind no port any more: restart them")

	killed := runc.StartQuietAgent(t)
	require.NoError(t, syscall.Kill(killed.Pid(), syscall.SIGKILL))
	<-killed.Done
	result = runc.Finish(t, killed.Ask(t, "status"))
	require.Contains(t, result.Stderr, "nobody listens on the control socket")
}

// Who may not connect is told who may.
func TestStatusWithoutPermission(t *testing.T) {
	server := runc.StartQuietAgent(t)
	program := filepath.Join(filepath.Dir(server.Socket), "port-restricter")
	result := runc.Finish(t, exec.Command("setpriv", "--reuid", "54399", "--regid", "54399",
		"--clear-groups", "--", program, "status", "--socket", server.ControlSocket()))
	require.Contains(t, result.Stderr, "is for root and its owner, the user 54320 only")
}
