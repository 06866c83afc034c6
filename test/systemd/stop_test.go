package systemd

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A service that left a daemon behind stops at once, and not only when TimeoutStopSec= is
// over, whose result is "timeout". What systemd does with the daemon is as without
// port-restricter.
func TestAServiceWithADaemonStopsAtOnce(t *testing.T) {
	for mode, survives := range map[string]bool{
		"control-group": false, "mixed": false, "process": true,
	} {
		t.Run(mode, func(t *testing.T) {
			u := install(t, "web.service", "[Service]\nKillMode="+mode+"\n"+
				"ExecStart=/usr/bin/port-restricter -p 5000-5002 -- /usr/bin/web-server 5000\n")
			u.start()
			daemon := ask(t, "tcp", port, "leave /usr/bin/web-server 5001")
			require.Equal(t, "bound", ask(t, "tcp", "127.0.0.1:5001", "bind 5002"))

			run(t, "systemctl", "stop", u.name)
			require.Equal(t, "success", u.property("Result"))
			require.Equal(t, "0", u.property("ExecMainStatus"))
			if survives {
				require.Equal(t, "ENOSYS", ask(t, "tcp", "127.0.0.1:5001", "bind 5002"))
			} else {
				require.NoDirExists(t, path("/proc/"+daemon))
			}
		})
	}
}

func TestTheProgramGetsOneSIGTERMWithKillModeMixed(t *testing.T) {
	u := recipe(t, "notifying.service", "KillMode=mixed")
	u.start()
	run(t, "systemctl", "stop", u.name)
	require.Equal(t, 1, strings.Count(u.output(), "SIGTERM\n"), u.output())
}

func TestAServiceInASandboxServes(t *testing.T) {
	u := recipe(t, "boxed.service")
	u.start()
	require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5001"))
	run(t, "systemctl", "stop", u.name)
	require.Equal(t, "success", u.property("Result"))
}
