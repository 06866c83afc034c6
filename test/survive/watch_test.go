package survive

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A screen is a terminal of tmux with a shell, which draws what a program writes.
type screen struct {
	t      *testing.T
	socket string
}

func startScreen(t *testing.T) screen {
	t.Helper()
	s := screen{t, filepath.Join(t.TempDir(), "tmux")}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", "200", "-y", "30",
		"exec env PS1='$ ' bash --norc --noprofile")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the screen:\n" + s.text())
		}
		_ = exec.Command("tmux", "-S", s.socket, "kill-server").Run()
	})
	return s
}

func (s screen) tmux(args ...string) string {
	s.t.Helper()
	return run(s.t, append([]string{"tmux", "-S", s.socket}, args...)...)
}

func (s screen) text() string { return s.tmux("capture-pane", "-p") }

// await waits until the screen shows all these texts.
func (s screen) await(texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		require.Eventually(s.t, func() bool { return strings.Contains(s.text(), text) },
			patience, 50*time.Millisecond, "the screen does not show %q", text)
	}
}

// awaitGone waits until the screen does not show a text any more.
func (s screen) awaitGone(text string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return !strings.Contains(s.text(), text) },
		patience, 50*time.Millisecond, "the screen still shows %q", text)
}

// The terminal's settings before and after must be the same.
const watch = `was=$(stty -g); port-restricter status --watch; echo "ended: $?"; ` +
	`test "$was" = "$(stty -g)"; echo "differs: $?"`

// TestTheTableOfContainersIsLive shows `port-restricter status --watch` while containers come and
// go, the window changes its size, and the agent is restarted, stopped and started.
func TestTheTableOfContainersIsLive(t *testing.T) {
	const none, ends = "The agent serves no container.", "q ends this."
	a, s := startAgent(t), startScreen(t)
	s.tmux("send-keys", watch, "Enter")
	s.await(none, ends)

	c := startAsker(t, 7000).isReady()
	require.Equal(t, "EPERM", c.bind(7001))
	const why = "port 7001/tcp at 0.0.0.0 is not in port-restricter.port=7000"
	s.await("LAST REFUSAL", "ask bind 7001/tcp: "+why, ends)
	s.awaitGone(none)

	s.tmux("resize-window", "-x", "80")
	s.awaitGone(why)
	s.await("CONTAINER", "7000", ends)
	lines := strings.Fields(strings.ReplaceAll(strings.TrimSpace(s.text()), " ", "_"))
	require.Len(t, lines, 3, "a row is a line: %q", lines)
	s.tmux("resize-window", "-x", "200", "-y", "10")
	s.await(why)

	a.kill()
	require.Equal(t, "EPERM", c.bind(7002))
	s.await("ask bind 7002/tcp")
	a.ctl(append([]string{"stop"}, agentUnits...)...)
	s.await("no agent: nobody listens on the control socket", "restart them once it runs",
		"ask bind 7002/tcp", ends) // all of a long line
	a.ctl(append([]string{"start"}, agentUnits...)...)
	s.await(none)
	s.awaitGone("no agent")

	var all []asker
	for port := 7100; port < 7105; port++ {
		all = append(all, startAsker(t, port).isReady())
	}
	s.await("7104", ends)
	s.tmux("resize-window", "-y", "6")
	s.await("7101", "… 3 more lines: port-restricter status shows all", ends)
	for _, c := range all {
		require.NoError(t, c.in.Close())
	}
	s.await(none)
	s.tmux("resize-window", "-y", "30")
	s.tmux("send-keys", "q")
	s.await("ended: 0")

	for _, key := range []string{"q", "C-c", "Escape"} {
		s.tmux("send-keys", "clear; echo be''fore; "+watch, "Enter")
		s.await(none, ends)
		s.tmux("send-keys", key)
		s.await("before", "ended: 0", "differs: 0")
		require.NotContains(t, s.text(), ends)
		require.Equal(t, "cursor 1, alternate screen 0\n",
			s.tmux("display", "-p", "cursor #{cursor_flag}, alternate screen #{alternate_on}"))
	}
}
