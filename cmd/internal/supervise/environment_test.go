package supervise

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVariablesThatNameTheSupervisorNameTheCommand(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"socket activation": {
			"LISTEN_FDS=2 LISTEN_PID=PID! LISTEN_FDNAMES=a:b",
			"LISTEN_FDS=2 LISTEN_PID=CMD LISTEN_FDNAMES=a:b",
		},
		"the pidfd's inode, which is that of the supervisor": {
			"LISTEN_PIDFDID=7 LISTEN_PID=PID! LISTEN_FDS=1 LISTEN_PIDFDID=7",
			"LISTEN_PID=CMD LISTEN_FDS=1",
		},
		"watchdog": {
			"WATCHDOG_USEC=1000 WATCHDOG_PID=PID!",
			"WATCHDOG_USEC=1000 WATCHDOG_PID=CMD",
		},
		"systemd's mark of the process that it started": {
			"SYSTEMD_EXEC_PID=PID!",
			"SYSTEMD_EXEC_PID=CMD",
		},
		"another process's": {
			"LISTEN_PID=1 LISTEN_PIDFDID=7 WATCHDOG_PID=PID!0 SYSTEMD_EXEC_PID=",
			"LISTEN_PID=1 LISTEN_PIDFDID=7 WATCHDOG_PID=SUP0 SYSTEMD_EXEC_PID=",
		},
		"duplicates, other names, and nonsense": {
			"LISTEN_PID=PID! LISTEN_PID=1 LISTEN_PID=PID! PID! MY_LISTEN_PID=PID! LISTEN_PID =x",
			"LISTEN_PID=CMD LISTEN_PID=1 LISTEN_PID=CMD SUP MY_LISTEN_PID=SUP LISTEN_PID =x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			// The first and the fourth field of stat are the ids of cat and its parent.
			out, err := exec.Command(self(t), "activated", c.before, self(t), "supervise", "",
				"/bin/cat", "/proc/self/environ", "/proc/self/stat").CombinedOutput()
			require.NoError(t, err, string(out))
			entries := strings.Split(string(out), "\x00")
			stat := strings.Fields(entries[len(entries)-1])
			after := strings.NewReplacer("CMD", stat[0], "SUP", stat[3]).Replace(c.after)
			require.Equal(t, after, strings.Join(entries[:len(entries)-1], " "))
		})
	}
}
