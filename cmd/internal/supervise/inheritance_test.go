package supervise

import (
	"context"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ignoring makes a shell, and what it starts, ignore the signals that the tests send.
const ignoring = "trap '' HUP INT QUIT USR1 USR2 ALRM TERM CHLD CONT TSTP TTIN TTOU WINCH 34; "

// A test that needs the default action of a signal must not fail or hang if it was started
// by nohup, nor signal the processes that started it. So the other tests are run in many
// ways. Each script starts them as "$@", and prints their status.
//
// Most of the scripts are in the process group of what they start, and have the default
// actions. A signal to that group would end the script before it prints the status.
func TestTheseTestsPassWhateverTheyInherit(t *testing.T) {
	t.Run("from", func(t *testing.T) {
		for name, c := range map[string]struct {
			script   string
			terminal bool
		}{
			"nohup, ignored signals": {
				script: "(" + ignoring + `exec nohup nice -n 10 "$@")`,
			},
			"a new session, blocked signals, no fds, a child": {
				script: `(sleep 1000 >/dev/null 2>&1 &
					exec setsid env --block-signal "$@" <&- >&- 2>&-)`,
			},
			"the foreground of a terminal": {
				script: `"$@"`, terminal: true,
			},
			"a background job of a terminal, no output": {
				script: `set -m; "$@" >&- 2>&- & wait $!`, terminal: true,
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
				defer cancel()
				cmd := exec.CommandContext(ctx, "bash", "-c", c.script+"\necho status $?", "bash",
					self(t), "-test.timeout=60s",
					"-test.skip=^TestTheseTestsPassWhateverTheyInherit$")
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
				cmd.WaitDelay = time.Second
				if c.terminal {
					defer openTerminal(t, cmd).Close()
				}
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, string(out))
				require.Contains(t, string(out), "status 0\n")
			})
		}
	})
	// Nothing is left but the child that the tests had from the start.
	require.Equal(t, []string{"sleep 1000"}, endChildren(anyChild))
}
