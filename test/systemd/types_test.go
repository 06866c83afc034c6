package systemd

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const port = "127.0.0.1:5000"

// pidOf returns the pid of the process that answers, and what it has counted of SIGHUP.
func pidOf(t *testing.T, network, address string) (pid, hups int) {
	t.Helper()
	words := strings.Fields(ask(t, network, address, "who"))
	require.Len(t, words, 2)
	pid, err := strconv.Atoi(words[0])
	require.NoError(t, err)
	hups, err = strconv.Atoi(words[1])
	require.NoError(t, err)
	return pid, hups
}

func TestAServiceServesOnItsPortOnly(t *testing.T) {
	for _, kind := range []string{"simple", "exec"} {
		t.Run(kind, func(t *testing.T) {
			u := recipe(t, "web.service", "Type="+kind)
			u.start()
			require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5001"))
			pid, _ := pidOf(t, "tcp", port)
			require.NotEqual(t, u.property("MainPID"), strconv.Itoa(pid))
			require.Equal(t, strconv.Itoa(pid), ask(t, "tcp", port, "env SYSTEMD_EXEC_PID"))

			run(t, "systemctl", "reload", u.name)
			u.eventually(func() bool {
				_, hups := pidOf(t, "tcp", port)
				return hups == 1
			}, "SIGHUP does not reach the program")

			run(t, "systemctl", "stop", u.name)
			require.Equal(t, "inactive", u.property("ActiveState"))
			require.Equal(t, "success", u.property("Result"))
			require.Equal(t, "0", u.property("ExecMainStatus"))
		})
	}
}

func TestTheStatusOfTheProgramIsThatOfTheService(t *testing.T) {
	u := recipe(t, "web.service", "RestartSec=10ms")
	u.start()
	ask(t, "tcp", port, "exit 3")
	u.eventually(func() bool { return u.property("NRestarts") == "1" }, "it is not restarted")
	before, _ := pidOf(t, "tcp", port)
	require.NotZero(t, before)
	ask(t, "tcp", port, "exit 0")
	u.eventually(func() bool { return u.property("ActiveState") == "inactive" }, "it goes on")
}

// systemd makes a difference between a service that SIGTERM ended and one with status 143.
func TestASignalThatEndsTheProgramIsThatOfTheService(t *testing.T) {
	u := install(t, "sleep.service",
		"[Service]\nExecStart=/usr/bin/port-restricter -p 5000 -- sleep infinity\n")
	u.start()
	run(t, "systemctl", "stop", u.name)
	require.Equal(t, "inactive", u.property("ActiveState"))
	require.Equal(t, "success", u.property("Result"))

	u = recipe(t, "web.service", "Restart=no")
	u.start()
	pid, _ := pidOf(t, "tcp", port)
	run(t, "kill", "-KILL", strconv.Itoa(pid))
	u.eventually(func() bool { return u.property("Result") == "signal" }, "it does not fail")
	require.Equal(t, "9", u.property("ExecMainStatus"))
}

func TestAProgramThatIsMissingHasAStatusOfItsOwn(t *testing.T) {
	u := install(t, "missing.service",
		"[Service]\nExecStart=/usr/bin/port-restricter -p 5000 -- /nowhere\n")
	u.start()
	u.eventually(func() bool { return u.property("ActiveState") == "failed" }, "it does not fail")
	require.Equal(t, "127", u.property("ExecMainStatus"))
	require.Contains(t, u.output(), `run "/nowhere": no such file or directory`)
}

func TestANotifyingServiceIsReadyWhenItSaysSo(t *testing.T) {
	u := recipe(t, "notifying.service")
	u.start() // returns once the service is ready
	require.Equal(t, "serving", u.property("StatusText"))
	require.Equal(t, "main", u.property("NotifyAccess"))
	pid, _ := pidOf(t, "tcp", port)
	require.NotEqual(t, strconv.Itoa(pid), u.property("MainPID"), "the program's MAINPID= counts")
	require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5001"))
}

func TestTheWatchdogWatchesTheProgram(t *testing.T) {
	u := recipe(t, "notifying.service", "WatchdogSec=2", "Restart=no")
	u.start()
	first := u.property("WatchdogTimestampMonotonic")
	u.eventually(func() bool { return u.property("WatchdogTimestampMonotonic") != first },
		"the program does not ping the watchdog")
	time.Sleep(3 * time.Second)
	require.Equal(t, "active", u.property("ActiveState"))

	pid, _ := pidOf(t, "tcp", port)
	run(t, "kill", "-STOP", strconv.Itoa(pid))
	u.eventually(func() bool { return u.property("Result") == "watchdog" },
		"the watchdog does not see that the program hangs")
}

func TestATemplateHasThePortOfItsInstance(t *testing.T) {
	template := recipe(t, "web@.service")
	for _, name := range []string{"5000", "5001"} {
		template.instance(name).start()
	}
	require.Equal(t, "EPERM", ask(t, "tcp", "127.0.0.1:5000", "bind 5002"))
	require.Equal(t, "EPERM", ask(t, "tcp", "127.0.0.1:5001", "bind 5002"))
}

func TestADaemonIsServedAndSignalled(t *testing.T) {
	u := recipe(t, "daemon.service", "ExecReload=kill -HUP $MAINPID", "RestartSec=10ms")
	u.start() // returns once the daemon is ready
	pid, err := os.ReadFile(path("/run/daemon.pid"))
	require.NoError(t, err)
	daemon, _ := pidOf(t, "tcp", port)
	require.Equal(t, strconv.Itoa(daemon), strings.TrimSpace(string(pid)))
	require.NotEqual(t, u.property("MainPID"), strconv.Itoa(daemon))
	require.Equal(t, "EPERM", ask(t, "tcp", port, "bind 5001"))
	run(t, "systemctl", "reload", u.name)
	u.eventually(func() bool {
		_, hups := pidOf(t, "tcp", port)
		return hups == 1
	}, "SIGHUP does not reach the daemon")
	ask(t, "tcp", port, "exit 3")
	u.eventually(func() bool { return u.property("NRestarts") == "1" }, "it is not restarted")
	pidOf(t, "tcp", port)
	run(t, "systemctl", "stop", u.name)
	require.Equal(t, "success", u.property("Result"))
	require.Contains(t, u.output(), "SIGTERM\n")
}
